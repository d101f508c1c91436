package porttest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Sample is a release of the sample service (BuildSample).
type Sample struct {
	Version string // becomes SAMPLE_VERSION; each makes another release
	Mode    string // becomes SAMPLE_MODE: "", "crash" or "unready"
}

// TargetFixture is a target with nothing on it, and orders for it. Its start
// timeout is a few seconds.
type TargetFixture struct {
	Target port.Target
	// Request asks for that sample, always in the same environment, with Ready
	// "/ready", Health "/health", and its version and mode in the workload's Env.
	Request func(Sample) port.DeployRequest
	// StopsSlowly is a target that shows what it has told to end for a moment yet, as
	// draining, and leaves what did not start to Discard.
	StopsSlowly bool
	// KeepsPrevious is a target that keeps the previous release until Finalize.
	KeepsPrevious bool
	// Answer is who answers at an address of the target; nil: whoever /health
	// names. Only TestTrafficSplitter and TestFinalizer ask it.
	Answer func(url string) (delivery.ReleaseID, error)
}

// BuildSample builds the sample service as a static binary for this machine and
// returns its path.
func BuildSample(t testing.TB) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "sample")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "github.com/slipway-cd/slipway/internal/port/porttest/testdata/sample")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the sample: %v\n%s", err, said)
	}
	return out
}

// TestTarget proves what port.Target promises. make is called for each test and
// cleans up by t.
func TestTarget(t *testing.T, make func(t *testing.T) TargetFixture) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, TargetFixture)
	}{
		{"first release", firstRelease},
		{"staged gets no traffic", stagedGetsNoTraffic},
		{"again is fine", againIsFine},
		{"crash at start", crashAtStart},
		{"never ready", neverReady},
		{"promote what is not staged", promoteUnstaged},
		{"another staged release takes the place", restage},
		{"discard", discard},
		{"in flight requests are finished", inFlight},
		{"no request is lost", noneLost},
		{"remove", remove},
		{"nothing is there", nothing},
		{"cancelled", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, make(t)) })
	}
}

func deploy(t *testing.T, f TargetFixture, o port.DeployRequest) port.Observation {
	t.Helper()
	stage(t, f, o)
	seen, err := f.Target.Promote(context.Background(), o, func(string) {})
	if err != nil {
		t.Fatalf("promote %s: %v", o.ID, err)
	}
	return seen
}

func stage(t *testing.T, f TargetFixture, o port.DeployRequest) string {
	t.Helper()
	url, err := f.Target.Stage(context.Background(), o, func(string) {})
	if err != nil {
		t.Fatalf("stage %s: %v", o.ID, err)
	}
	return url
}

// answering is the release that answers at the address.
func answering(url string) (delivery.ReleaseID, error) { return answeringBy(http.DefaultClient, url) }

func answeringBy(client *http.Client, url string) (delivery.ReleaseID, error) {
	resp, err := client.Get(url + "/health")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var said struct {
		Release delivery.ReleaseID `json:"release"`
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	return said.Release, json.Unmarshal(body, &said)
}

func wantAnswer(t *testing.T, url string, want delivery.ReleaseID) {
	t.Helper()
	resp, err := http.Get(url + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var said struct {
		Release delivery.ReleaseID `json:"release"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || said.Release != want {
		t.Errorf("%s is answered by %q (%v), want %s", url, said.Release, err, want)
	}
}

// wantEnded is that nothing of a release runs any more: at once, or where ends
// linger, after a moment in which it does nothing but drain.
func wantEnded(t *testing.T, f TargetFixture, o port.DeployRequest) {
	t.Helper()
	for _, r := range observe(t, f, o).Replicas {
		if r.Release == o.ID && r.State != port.ReplicaExited && (!f.StopsSlowly || r.State != port.ReplicaDraining) {
			t.Errorf("%s of %s is %s", r.Name, o.ID, r.State)
		}
	}
	eventually(t, func() (bool, error) {
		for _, r := range observe(t, f, o).Replicas {
			if r.Release == o.ID && r.State != port.ReplicaExited {
				return false, fmt.Errorf("%s of %s is still %s", r.Name, o.ID, r.State)
			}
		}
		return true, nil
	})
}

func observe(t *testing.T, f TargetFixture, o port.DeployRequest) port.Observation {
	t.Helper()
	seen, err := f.Target.Observe(context.Background(), o.Service, o.Environment)
	if err != nil {
		t.Fatalf("observe: %v", err)
	}
	return seen
}
