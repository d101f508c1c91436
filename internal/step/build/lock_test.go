package build

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

// oneAtATime is a builder that counts builds into one layout at once.
type oneAtATime struct {
	*fake.Builder
	mu      *sync.Mutex
	running *atomic.Int32
	most    *atomic.Int32
}

func (b oneAtATime) Build(ctx context.Context, o port.BuildRequest, out io.Writer) (port.BuiltImage, error) {
	if n := b.running.Add(1); n > b.most.Load() {
		b.most.Store(n)
	}
	defer b.running.Add(-1)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.Build(ctx, o, out)
}

// TestRun_SameInputsAtOnce: the runs of one commit in two environments build one layout,
// one after the other.
func TestRun_SameInputsAtOnce(t *testing.T) {
	b := oneAtATime{&fake.Builder{}, &sync.Mutex{}, &atomic.Int32{}, &atomic.Int32{}}
	shared := request(t, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r := shared
			r.Log = &bytes.Buffer{}
			if _, err := (Step{Builders: map[string]port.Builder{"go": b}}).Run(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := b.most.Load(); n != 1 {
		t.Errorf("%d builds at once, want 1", n)
	}
	if _, err := os.Stat(layoutDir(shared) + ".lock"); !os.IsNotExist(err) {
		t.Errorf("the lock file is still there: %v", err)
	}
}
