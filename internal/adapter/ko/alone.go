package ko

import (
	"context"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-cd/slipway/internal/port"
)

// compileAlone compiles once no other build does. When ctx ends, it returns at once: the
// library waits for programs that the toolchain leaves behind, such as a git that waits
// for a server. Until they end, no other build begins.
func (b *Builder) compileAlone(ctx context.Context, o port.BuildRequest, at mainPackage, out io.Writer) (v1.Image, error) {
	select {
	case b.building <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	type result struct {
		img v1.Image
		err error
	}
	done, log := make(chan result, 1), &detachableWriter{out: out}
	go func() {
		defer func() { <-b.building }()
		img, err := b.compile(ctx, o, at, log)
		done <- result{img, err}
	}()
	select {
	case r := <-done:
		return r.img, r.err
	case <-ctx.Done():
		log.detach()
		return nil, context.Cause(ctx)
	}
}

// detachableWriter writes to out until it is detached, and nowhere from then on.
type detachableWriter struct {
	mu  sync.Mutex
	out io.Writer // nil: detached
}

// Write implements io.Writer.
func (w *detachableWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return len(p), nil
	}
	return w.out.Write(p)
}

func (w *detachableWriter) detach() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = nil
}
