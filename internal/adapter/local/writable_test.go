//go:build linux

package local_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestWritable: the root file system can be made writable, for each replica by
// itself, and the image stays as it is.
func TestWritable(t *testing.T) {
	for _, runtime := range runtimes() {
		for _, at := range []int{0, 8000} {
			name := runtime
			if at != 0 {
				name += ", network of its own"
			}
			t.Run(name, func(t *testing.T) {
				s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
				o := s.fixed("a")
				o.Release.Workload.Env["SAMPLE_MODE"] = "writes"
				if at == 0 {
					o.Release.Workload.Port = 0
					delete(o.Release.Workload.Env, "SAMPLE_FIXED_LISTEN")
				}
				o.Release.Workload.Writable = true
				url := s.deploy(t, o).URL
				for path, allowed := range map[string]bool{"/x": true, "/app/x": true, "/tmp/x": true, "/model/x": false, "/app/sample": true} {
					said, err := fetch(url + "/write?path=" + path)
					if path == "/app/sample" && strings.Contains(said, "text file busy") {
						continue // it runs
					}
					if err != nil || strings.Contains(said, `u003cnil`) != allowed {
						t.Errorf("write %s: %s %v; allowed should be %v", path, said, err, allowed)
					}
				}
				images, _ := filepath.Glob(filepath.Join(s.cfg.Dir, "rootfs", "*", "app"))
				for _, dir := range images {
					if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
						t.Errorf("%s of the image holds %v, %v; want the sample alone", dir, entries, err)
					}
				}
			})
		}
	}
}

// TestWritable_ErrorNamesReadOnly: a service that ends because it may not write is
// told what to do.
func TestWritable_ErrorNamesReadOnly(t *testing.T) {
	for _, runtime := range runtimes() {
		t.Run(runtime, func(t *testing.T) {
			s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
			_, err := s.Stage(context.Background(), s.request(porttest.Sample{Version: "a", Mode: "writes"}), nil)
			if !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), "read-only root file system") || !strings.Contains(err.Error(), "exit code 5") {
				t.Errorf("error = %v, want exit code 5 and why", err)
			}
			if hint := fault.HintOf(err); !strings.Contains(hint, "deploy.read_only: false") || !strings.Contains(hint, "/tmp") {
				t.Errorf("hint = %q, want both ways out", hint)
			}
		})
	}
}
