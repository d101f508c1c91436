//go:build linux

package local_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestTarget_ReportsDrift(t *testing.T) {
	porttest.TestDriftReporter(t, func(t *testing.T) porttest.TargetFixture {
		s := newTestTarget(t, nil)
		return porttest.TargetFixture{Target: s, Request: s.request}
	})
}

// TestDrift_IsRepaired: what differs is named, and the same release once more repairs it
// without losing a request. Comparing does not count as opening the model.
func TestDrift_IsRepaired(t *testing.T) {
	model := func(s *testTarget, o port.DeployRequest) string {
		return filepath.Join(s.cfg.Dir, "models", o.Release.Model.Digest.Hex())
	}
	for _, c := range []struct {
		name   string
		change func(s *testTarget, o port.DeployRequest) error
		want   string
	}{
		{"image removed", func(s *testTarget, o port.DeployRequest) error {
			return os.RemoveAll(filepath.Join(s.cfg.Dir, "rootfs", o.Release.Image.Digest.Hex()))
		}, "Image folder DIR/rootfs/IMAGE is missing"},
		{"model removed", func(s *testTarget, o port.DeployRequest) error { return os.RemoveAll(model(s, o)) },
			"Model folder DIR/models/MODEL is missing"},
		{"model replaced", func(s *testTarget, o port.DeployRequest) error {
			if err := os.Rename(model(s, o), model(s, o)+".before"); err != nil {
				return err
			}
			return os.Mkdir(model(s, o), 0o755)
		}, "Model folder DIR/models/MODEL: was replaced while its replicas ran"},
		{"file of the model changed", func(s *testTarget, o port.DeployRequest) error {
			return moveInto(model(s, o), "model.txt", "poisoned")
		}, "Model folder DIR/models/MODEL: model.txt is 8 bytes, modified "},
		{"file of the model removed", func(s *testTarget, o port.DeployRequest) error {
			return os.Remove(filepath.Join(model(s, o), "model.txt"))
		}, "Model folder DIR/models/MODEL: model.txt was removed, recorded 71 bytes, modified "},
		{"file added to the model", func(s *testTarget, o port.DeployRequest) error {
			return moveInto(model(s, o), "more.txt", "more")
		}, "Model folder DIR/models/MODEL: more.txt was added: 4 bytes, modified "},
		{"replica missing", func(s *testTarget, _ port.DeployRequest) error {
			if err := s.Down(context.Background()); err != nil {
				return err
			}
			file := filepath.Join(s.cfg.Dir, "state.json")
			raw, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			raw = bytes.Replace(raw, []byte(`"replicas": 2`), []byte(`"replicas": 1`), 1)
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				return err
			}
			return s.Restore(context.Background())
		}, "Replica RELEASE-2 is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestTarget(t, nil)
			o := s.request(porttest.Sample{Version: "a"})
			url := s.deploy(t, o).URL
			if err := c.change(s, o); err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("DIR", s.cfg.Dir, "IMAGE", o.Release.Image.Digest.Hex(), "MODEL", o.Release.Model.Digest.Hex(), "RELEASE", string(o.ID)).Replace(c.want)
			found, err := s.Drift(context.Background(), o)
			if err != nil || len(found) != 1 || !strings.HasPrefix(found[0].String(), want) {
				t.Fatalf("Drift = %v, %v; want %q", found, err, want)
			}
			if got := s.modelUse(t, o); got != port.ModelNotOpened {
				t.Errorf("after it was compared, the model counts as %q, want %q", got, port.ModelNotOpened)
			}
			stop := keepRequesting(t, url)
			seen := s.deploy(t, o)
			if n, failed := stop(); failed != nil || n == 0 {
				t.Errorf("%d requests, one of them: %v", n, failed)
			}
			if seen.URL != url || seen.Release != o.ID || seen.Wanted != 2 {
				t.Errorf("deployed again: %+v, want two replicas of %s at %s", seen, o.ID, url)
			}
			if found, err := s.Drift(context.Background(), o); err != nil || len(found) > 0 {
				t.Errorf("after the repair: Drift = %v, %v", found, err)
			}
			inside, err := fetch(url + "/inside")
			if want := string(o.Release.Model.Digest); err != nil || !strings.Contains(inside, want) {
				t.Errorf("the new replicas: %s, %v; want the model %s", inside, err, want)
			}
		})
	}
}

// TestDrift_ChangedModelIsUnused: what was set aside can be removed while the model is in
// use.
func TestDrift_ChangedModelIsUnused(t *testing.T) {
	s := newTestTarget(t, nil)
	o := s.request(porttest.Sample{Version: "a"})
	s.deploy(t, o)
	dir := filepath.Join(s.cfg.Dir, "models", o.Release.Model.Digest.Hex())
	if err := moveInto(dir, "more.txt", "more"); err != nil {
		t.Fatal(err)
	}
	s.deploy(t, o)
	unused, err := s.ListUnused(context.Background(), time.Now().Add(time.Hour))
	if diff := cmp.Diff([]string{dir + ".changed"}, unused); diff != "" || err != nil {
		t.Errorf("error = %v, unused (-want +got):\n%s", err, diff)
	}
}

// moveInto puts a file into a folder without opening one there: that would count as
// opening the model.
func moveInto(dir, name, text string) error {
	file := dir + "." + name
	if err := os.WriteFile(file, []byte(text), 0o444); err != nil {
		return err
	}
	return os.Rename(file, filepath.Join(dir, name))
}

// keepRequesting sends requests until the returned function is called, which returns how
// many there were, and why one failed.
func keepRequesting(t *testing.T, url string) (stop func() (n int, failed error)) {
	t.Helper()
	ended, done := make(chan struct{}), make(chan struct{})
	n, failed := 0, error(nil)
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			case <-time.After(2 * time.Millisecond):
			}
			n++
			if _, err := fetch(url + "/health"); err != nil {
				failed = err
			}
		}
	}()
	return func() (int, error) { close(ended); <-done; return n, failed }
}

// TestDrift_FailedRepair: what can't be repaired goes on serving, and nothing is left.
func TestDrift_FailedRepair(t *testing.T) {
	s := newTestTarget(t, func(c *local.Config) { c.StartTimeout = 2 * time.Second })
	o := s.request(porttest.Sample{Version: "a"})
	url := s.deploy(t, o).URL
	rootfs := filepath.Join(s.cfg.Dir, "rootfs", o.Release.Image.Digest.Hex())
	if err := os.RemoveAll(rootfs); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(rootfs, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(rootfs, "app/sample"), []byte("#!/nothing\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stage(context.Background(), o, nil); err == nil {
		t.Fatal("staged a program that does not start")
	}
	if _, err := fetch(url + "/health"); err != nil {
		t.Errorf("it no longer serves: %v", err)
	}
	seen, err := s.Observe(context.Background(), o.Service, o.Environment)
	if err != nil || len(seen.Replicas) != 2 || seen.Release != o.ID {
		t.Errorf("observed %+v, %v; want the two replicas of before", seen, err)
	}
	if found, err := s.Drift(context.Background(), o); err != nil || len(found) != 1 {
		t.Errorf("Drift = %v, %v; want the image", found, err)
	}
}
