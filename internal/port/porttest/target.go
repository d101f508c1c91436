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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
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
	// Order asks for that sample, always in the same environment, with Ready
	// "/ready", Health "/health", and its version and mode in the workload's Env.
	Order func(Sample) port.Order
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

func deploy(t *testing.T, f TargetFixture, o port.Order) port.Observation {
	t.Helper()
	stage(t, f, o)
	seen, err := f.Target.Promote(context.Background(), o, func(string) {})
	if err != nil {
		t.Fatalf("promote %s: %v", o.ID, err)
	}
	return seen
}

func stage(t *testing.T, f TargetFixture, o port.Order) string {
	t.Helper()
	url, err := f.Target.Stage(context.Background(), o, func(string) {})
	if err != nil {
		t.Fatalf("stage %s: %v", o.ID, err)
	}
	return url
}

// answering is the release that answers at the address.
func answering(url string) (delivery.ReleaseID, error) {
	resp, err := http.Get(url + "/health") //nolint:gosec // the address is the test's own
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
	resp, err := http.Get(url + "/health") //nolint:gosec // the address is the test's own
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

func observe(t *testing.T, f TargetFixture, o port.Order) port.Observation {
	t.Helper()
	seen, err := f.Target.Observe(context.Background(), o.Service, o.Environment)
	if err != nil {
		t.Fatalf("observe: %v", err)
	}
	return seen
}

func firstRelease(t *testing.T, f TargetFixture) {
	o := f.Order(Sample{Version: "a"})
	wantAnswer(t, stage(t, f, o), o.ID)
	if seen := observe(t, f, o); seen.Release != "" {
		t.Errorf("staged only, but %s takes the traffic", seen.Release)
	}
	seen := deploy(t, f, o)
	wantAnswer(t, seen.URL, o.ID)
	if seen.Release != o.ID {
		t.Errorf("release = %q, want %s", seen.Release, o.ID)
	}
	if want := max(1, o.Release.Workload.Replicas); len(seen.Replicas) != want {
		t.Errorf("replicas = %+v, want %d", seen.Replicas, want)
	}
	for _, r := range seen.Replicas {
		if r.State != "ready" || r.Release != o.ID || r.Restarts != 0 {
			t.Errorf("replica %+v, want it ready", r)
		}
	}
}

func stagedGetsNoTraffic(t *testing.T, f TargetFixture) {
	a, b := f.Order(Sample{Version: "a"}), f.Order(Sample{Version: "b"})
	seen := deploy(t, f, a)
	candidate := stage(t, f, b)
	for range 20 {
		wantAnswer(t, seen.URL, a.ID)
		wantAnswer(t, candidate, b.ID)
	}
	if url := deploy(t, f, b).URL; url != seen.URL {
		t.Errorf("the address moved from %s to %s", seen.URL, url)
	}
	wantAnswer(t, seen.URL, b.ID)
}

func againIsFine(t *testing.T, f TargetFixture) {
	o := f.Order(Sample{Version: "a"})
	if first, second := stage(t, f, o), stage(t, f, o); first != second {
		t.Errorf("staged twice: %s, then %s", first, second)
	}
	seen := deploy(t, f, o)
	again, err := f.Target.Promote(context.Background(), o, func(string) {})
	if err != nil || again.Release != o.ID || again.URL != seen.URL {
		t.Errorf("promoted again: %+v, %v; want %+v", again, err, seen)
	}
	wantAnswer(t, stage(t, f, o), o.ID)
	for _, r := range observe(t, f, o).Replicas {
		if r.Restarts != 0 {
			t.Errorf("%s was restarted by asking again", r.Name)
		}
	}
}

func crashAtStart(t *testing.T, f TargetFixture) {
	a, bad := f.Order(Sample{Version: "a"}), f.Order(Sample{Version: "bad", Mode: "crash"})
	url := deploy(t, f, a).URL
	_, err := f.Target.Stage(context.Background(), bad, func(string) {})
	if err == nil {
		t.Fatal("a release that crashes was staged")
	}
	for _, want := range []string{"3", "no model to load"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q: the exit code and the last lines of the log", err, want)
		}
	}
	if !fault.Is(err, fault.Failed) {
		t.Errorf("kind = %s, want %s", fault.KindOf(err), fault.Failed)
	}
	wantAnswer(t, url, a.ID)
	for _, r := range observe(t, f, a).Replicas {
		if r.Release == bad.ID {
			t.Errorf("%s is still there", r.Name)
		}
	}
}

func neverReady(t *testing.T, f TargetFixture) {
	bad := f.Order(Sample{Version: "bad", Mode: "unready"})
	if _, err := f.Target.Stage(context.Background(), bad, func(string) {}); !fault.Is(err, fault.Failed) {
		t.Errorf("error = %v, want one of kind %s", err, fault.Failed)
	}
}

func promoteUnstaged(t *testing.T, f TargetFixture) {
	a := f.Order(Sample{Version: "a"})
	if _, err := f.Target.Promote(context.Background(), a, func(string) {}); !fault.Is(err, fault.Conflict) {
		t.Errorf("error = %v, want one of kind %s", err, fault.Conflict)
	}
	if seen := observe(t, f, a); seen.Release != "" {
		t.Errorf("%s serves", seen.Release)
	}
}

func restage(t *testing.T, f TargetFixture) {
	a, b, c := f.Order(Sample{Version: "a"}), f.Order(Sample{Version: "b"}), f.Order(Sample{Version: "c"})
	url := deploy(t, f, a).URL
	stage(t, f, b)
	wantAnswer(t, stage(t, f, c), c.ID)
	for _, r := range observe(t, f, a).Replicas {
		if r.Release == b.ID && r.State != "exited" {
			t.Errorf("%s of the release that was staged before is %s", r.Name, r.State)
		}
	}
	wantAnswer(t, url, a.ID)
}

func discard(t *testing.T, f TargetFixture) {
	ctx := context.Background()
	a, b := f.Order(Sample{Version: "a"}), f.Order(Sample{Version: "b"})
	url := deploy(t, f, a).URL
	candidate := stage(t, f, b)
	if err := f.Target.Discard(ctx, a); err != nil { // it is promoted, not staged
		t.Fatal(err)
	}
	wantAnswer(t, candidate, b.ID)
	for range 2 {
		if err := f.Target.Discard(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	wantAnswer(t, url, a.ID)
	if got, err := answering(candidate); err == nil {
		t.Errorf("%s still answers at %s", got, candidate)
	}
	if _, err := f.Target.Promote(ctx, b, func(string) {}); err == nil {
		t.Error("a discarded release was promoted")
	}
}

func inFlight(t *testing.T, f TargetFixture) {
	a, b := f.Order(Sample{Version: "a"}), f.Order(Sample{Version: "b"})
	url := deploy(t, f, a).URL
	stage(t, f, b)
	type answer struct {
		release string
		err     error
	}
	answers := make(chan answer, 1)
	go func() {
		var got struct{ Release string }
		resp, err := http.Get(url + "/slow?ms=700") //nolint:gosec // the address is the test's own
		if err == nil {
			err = json.NewDecoder(resp.Body).Decode(&got)
			resp.Body.Close()
		}
		answers <- answer{got.Release, err}
	}()
	awaitLog(t, f, a, "slow request begins")
	if _, err := f.Target.Promote(context.Background(), b, func(string) {}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-answers:
		if got.err != nil || got.release != string(a.ID) {
			t.Errorf("the request in flight got %+v, want an answer of %s", got, a.ID)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the request in flight got no answer")
	}
	for _, r := range observe(t, f, a).Replicas {
		if r.Release == a.ID && r.State != "exited" {
			t.Errorf("%s is %s after the promotion", r.Name, r.State)
		}
	}
}

// awaitLog waits until the service has printed the text. A target that shows no
// logs cannot run tests that need to know.
func awaitLog(t *testing.T, f TargetFixture, o port.Order, text string) {
	t.Helper()
	logs, ok := f.Target.(port.ReplicaLogs)
	if !ok {
		t.Skipf("%T is no port.ReplicaLogs: there is no way to know that the request has begun", f.Target)
	}
	eventually(t, func() (bool, error) {
		lines, err := logs.ReplicaLogs(context.Background(), o.Service, o.Environment, 50)
		if all := strings.Join(lines, "\n"); err == nil && !strings.Contains(all, text) {
			err = fmt.Errorf("the logs lack %q:\n%s", text, all)
		}
		return true, err
	})
}

func noneLost(t *testing.T, f TargetFixture) {
	orders := []port.Order{f.Order(Sample{Version: "a"}), f.Order(Sample{Version: "b"})}
	url := deploy(t, f, orders[0]).URL
	ctx, stop := context.WithCancel(context.Background())
	var users sync.WaitGroup
	var answered, lost atomic.Int64
	for range 4 {
		users.Go(func() {
			for ctx.Err() == nil {
				if _, err := answering(url); err != nil {
					lost.Add(1)
					t.Logf("lost: %v", err)
				}
				answered.Add(1)
			}
		})
	}
	for i := range 5 {
		before := answered.Load()
		deploy(t, f, orders[(i+1)%2])
		eventually(t, func() (bool, error) {
			if answered.Load() < before+20 {
				return false, fmt.Errorf("the users got only %d answers", answered.Load()-before)
			}
			return true, nil
		})
	}
	stop()
	users.Wait()
	if lost.Load() != 0 {
		t.Errorf("%d of %d requests were lost over 5 promotions", lost.Load(), answered.Load())
	}
}

func remove(t *testing.T, f TargetFixture) {
	a := f.Order(Sample{Version: "a"})
	url := deploy(t, f, a).URL
	stage(t, f, f.Order(Sample{Version: "b"}))
	for range 2 {
		if err := f.Target.Remove(context.Background(), a.Service, a.Environment); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := answering(url); err == nil {
		t.Errorf("%s still answers", got)
	}
	if seen := observe(t, f, a); seen.Release != "" || len(seen.Replicas) != 0 {
		t.Errorf("observed %+v, want nothing", seen)
	}
	wantAnswer(t, deploy(t, f, a).URL, a.ID)
}

func nothing(t *testing.T, f TargetFixture) {
	ctx, o := context.Background(), f.Order(Sample{Version: "a"})
	if seen := observe(t, f, o); seen.Release != "" || len(seen.Replicas) != 0 {
		t.Errorf("observed %+v, want nothing", seen)
	}
	if err := f.Target.Discard(ctx, o); err != nil {
		t.Errorf("discard: %v", err)
	}
	if err := f.Target.Remove(ctx, o.Service, o.Environment); err != nil {
		t.Errorf("remove: %v", err)
	}
}

func cancelled(t *testing.T, f TargetFixture) {
	o := f.Order(Sample{Version: "a", Mode: "unready"})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began := make(chan struct{})
	var once sync.Once
	done := make(chan error, 1)
	go func() {
		_, err := f.Target.Stage(ctx, o, func(string) { once.Do(func() { close(began) }) })
		done <- err
	}()
	<-began
	cancel()
	if err := <-done; err == nil {
		t.Fatal("a cancelled Stage returned an address")
	}
	if err := f.Target.Discard(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	fine := f.Order(Sample{Version: "b"})
	wantAnswer(t, deploy(t, f, fine).URL, fine.ID)
}
