//go:build linux

package local_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// modelUse returns what every replica of the environment reports, if they agree.
func (s *testTarget) modelUse(t *testing.T, o port.DeployRequest) port.ModelUse {
	t.Helper()
	seen, err := s.Observe(context.Background(), o.Service, o.Environment)
	if err != nil || len(seen.Replicas) == 0 {
		t.Fatalf("replicas = %+v, %v", seen.Replicas, err)
	}
	for _, r := range seen.Replicas[1:] {
		if r.ModelOpened != seen.Replicas[0].ModelOpened {
			t.Errorf("replicas = %+v: they disagree", seen.Replicas)
		}
	}
	return seen.Replicas[0].ModelOpened
}

// TestModelOpened: a service that names its model without reading it is told from
// one that opens the files. What Slipway itself reads does not count.
func TestModelOpened(t *testing.T) {
	for _, runtime := range runtimes() {
		for _, at := range []int{0, 8000} {
			t.Run(fmt.Sprintf("%s, port %d", runtime, at), func(t *testing.T) {
				s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
				o := s.request(porttest.Sample{Version: "a"})
				if at != 0 {
					o = s.fixed("a")
				}
				url := s.deploy(t, o).URL
				if err := checkServing(url, o.ID)(); err != nil { // names the model version
					t.Fatal(err)
				}
				s.deploy(t, o) // fetches the model once more
				if got := s.modelUse(t, o); got != port.ModelNotOpened {
					t.Errorf("before it is read: %q, want %q", got, port.ModelNotOpened)
				}
				if _, err := fetch(url + "/inside"); err != nil { // reads it
					t.Fatal(err)
				}
				if got := s.modelUse(t, o); got != port.ModelOpened {
					t.Errorf("after it was read: %q, want %q", got, port.ModelOpened)
				}
			})
		}
	}
}

// TestModelOpened_SlipwayReads: while Slipway verifies the files, an open proves
// nothing; one after that does.
func TestModelOpened_SlipwayReads(t *testing.T) {
	s := newTestTarget(t, nil)
	o := s.request(porttest.Sample{Version: "a"})
	url := s.deploy(t, o).URL
	s.store.onFetch = func(dir string) {
		if _, err := os.ReadFile(filepath.Join(dir, "model.txt")); err != nil {
			t.Error(err)
		}
	}
	s.deploy(t, o)
	if got := s.modelUse(t, o); got != port.ModelUseUnknown {
		t.Errorf("after Slipway has read it: %q, want unknown", got)
	}
	if _, err := fetch(url + "/inside"); err != nil {
		t.Fatal(err)
	}
	if got := s.modelUse(t, o); got != port.ModelOpened {
		t.Errorf("after the service has read it: %q, want %q", got, port.ModelOpened)
	}
}

// TestModelOpened_NoModel: without a model nothing is known.
func TestModelOpened_NoModel(t *testing.T) {
	s := newTestTarget(t, nil)
	o := s.request(porttest.Sample{Version: "a"})
	o.Release.Model = nil
	s.deploy(t, o)
	if got := s.modelUse(t, o); got != port.ModelUseUnknown {
		t.Errorf("model_opened = %q, want it empty", got)
	}
}
