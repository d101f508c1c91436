package mlflow

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/wait"
)

// programVariable names the Python that MLflow is installed for: see `make mlflow`.
const programVariable = "SLIPWAY_MLFLOW"

// TestServer holds the registry to the port with MLflow's own server: one is started, and
// emptied for each test.
func TestServer(t *testing.T) {
	program := os.Getenv(programVariable)
	if program == "" {
		t.Skipf("$%s is not set: `make mlflow` runs this test", programVariable)
	}
	begun := time.Now()
	address := startServer(t, program)
	t.Logf("MLflow listened after %.1f s", time.Since(begun).Seconds())
	fresh := func(t *testing.T) *Registry {
		t.Helper()
		r := open(t, address)
		deleteModels(t, r)
		return r
	}
	t.Run("port", func(t *testing.T) {
		porttest.TestModels(t, func(t *testing.T) func() port.ModelRegistry {
			fresh(t)
			return func() port.ModelRegistry { return open(t, address) }
		})
	})
	t.Run("outside decisions", func(t *testing.T) { testOutside(t, fresh) })
	t.Run("version numbers are not given again", func(t *testing.T) {
		r := fresh(t)
		v := registered(t, r)
		c, err := r.connect()
		if err == nil {
			err = c.deleteVersion(t.Context(), modelVersion{Name: group, Version: integer(v.Version)})
		}
		if err != nil {
			t.Fatal(err)
		}
		if again := registered(t, r); again.Version <= v.Version {
			t.Errorf("version %d was registered after %d, which was deleted", again.Version, v.Version)
		}
	})
	t.Run("models:/GROUP@approved", func(t *testing.T) {
		r := fresh(t)
		v := registered(t, r)
		decide(t, r, v, approve(delivery.PendingApproval))
		c, _ := r.connect()
		var found struct {
			Version modelVersion `json:"model_version"`
		}
		err := c.get(t.Context(), "look up an alias", "registered-models/alias", url.Values{"name": {group}, "alias": {aliasApproved}}, &found)
		if err != nil || int(found.Version.Version) != v.Version {
			t.Errorf("version %d, error = %v, want %d", found.Version.Version, err, v.Version)
		}
	})
}

// deleteModels removes all models. Their runs stay: no version leads to them.
func deleteModels(t *testing.T, r *Registry) {
	t.Helper()
	c, err := r.connect()
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		Models []struct {
			Name string `json:"name"`
		} `json:"registered_models"`
	}
	if err := c.get(t.Context(), "list the models", "registered-models/search", url.Values{}, &found); err != nil {
		t.Fatal(err)
	}
	for _, m := range found.Models {
		if err := c.delete(t.Context(), "delete a model", "registered-models/delete", map[string]string{"name": m.Name}); err != nil {
			t.Fatal(err)
		}
	}
}

// startServer starts MLflow's server on this machine, with a database of its own.
func startServer(t *testing.T, program string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	dir := t.TempDir()
	var log bytes.Buffer
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1",
		"--backend-store-uri", "sqlite:///"+filepath.Join(dir, "mlflow.db"), "--default-artifact-root", filepath.Join(dir, "artifacts"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &log, &log
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait() })
	address = "http://127.0.0.1:" + port
	limited, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	err = wait.Poll(limited, 100*time.Millisecond, func(ctx context.Context) (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/version", nil)
		if err != nil {
			return false, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, nil // not yet
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK, nil
	})
	if err != nil {
		stop()
		_ = cmd.Wait()
		t.Fatal(fmt.Errorf("MLflow does not listen: %w\n%s", err, strings.TrimSpace(log.String())))
	}
	return address
}
