//go:build linux

package process_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/process"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestLibraries: what serves and trains models runs in a box: by the filter of system
// calls that replicas have, and without other rights. `make soak-libraries` runs it: it
// downloads packages.
func TestLibraries(t *testing.T) {
	if os.Getenv("SLIPWAY_SOAK_LIBRARIES") == "" {
		t.Skip("make soak-libraries")
	}
	needBox(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/libraries")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, needs, run string }{
		{"install", "python3", "python3 -m venv env && env/bin/pip install -q --only-binary :all: -r requirements.txt && echo pip works"},
		{"numpy", "python3", "env/bin/python arrays.py"},
		{"onnxruntime", "python3", "env/bin/python inference.py"},
		{"torch", "", `env/bin/python -c 'import torch
x = torch.ones(300, 300, requires_grad=True)
(x @ x).sum().backward()
assert x.grad[0, 0] == 600
print("torch", torch.__version__, "works")'`},
		{"java", "java", "java Threads.java"},
		{"go", "go", "go run main.go"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.needs == "" {
				if packages := os.Getenv("SLIPWAY_SOAK_TORCH"); packages == "" {
					t.Skip("SLIPWAY_SOAK_TORCH is not set to the folder of a torch: its packages with CUDA are 4 GB")
				}
				c.run = "PYTHONPATH=" + os.Getenv("SLIPWAY_SOAK_TORCH") + " " + c.run
			} else if _, err := exec.LookPath(c.needs); err != nil {
				t.Skipf("%s is not installed", c.needs)
			}
			var out bytes.Buffer
			b := &port.Box{Write: []string{dir}, Read: filepath.SplitList(os.Getenv("SLIPWAY_SOAK_TORCH"))}
			exit, err := process.NewCommands(process.Config{}).Run(t.Context(), port.Command{Run: c.run, Dir: dir, Env: os.Environ(), Timeout: 10 * time.Minute, Box: b}, &out)
			if err != nil || exit.Code != 0 || !strings.Contains(out.String(), " works\n") {
				t.Errorf("exit = %+v, error = %v, want that it works:\n%s", exit, err, out.String())
			}
			t.Log(strings.TrimSpace(out.String()))
		})
	}
}
