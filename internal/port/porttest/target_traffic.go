package porttest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

func discard(t *testing.T, f TargetFixture) {
	ctx := context.Background()
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	url := deploy(t, f, a).Address()
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
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	url := deploy(t, f, a).Address()
	stage(t, f, b)
	type answer struct {
		release string
		err     error
	}
	answers := make(chan answer, 1)
	go func() {
		var got struct{ Release string }
		resp, err := http.Get(url + "/slow?ms=700")
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
	if f.KeepsPrevious {
		finalize(t, f, b)
	}
	wantEnded(t, f, a)
}

// awaitLog waits until the service has printed the text. A target that shows no
// logs cannot run tests that need to know.
func awaitLog(t *testing.T, f TargetFixture, o port.DeployRequest, text string) {
	t.Helper()
	logs, ok := f.Target.(port.LogReader)
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
	orders := []port.DeployRequest{f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})}
	url := deploy(t, f, orders[0]).Address()
	ctx, stop := context.WithCancel(context.Background())
	var users sync.WaitGroup
	var answered, lost atomic.Int64
	t.Cleanup(func() { stop(); users.Wait() }) // also when a deployment ends the test: others get the address
	for range 4 {
		users.Go(func() {
			for ctx.Err() == nil {
				if _, err := answering(url); err != nil && lost.Add(1) <= 10 {
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
	a := f.Request(Sample{Version: "a"})
	url := deploy(t, f, a).Address()
	stage(t, f, f.Request(Sample{Version: "b"}))
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
	wantAnswer(t, deploy(t, f, a).Address(), a.ID)
}

func nothing(t *testing.T, f TargetFixture) {
	ctx, o := context.Background(), f.Request(Sample{Version: "a"})
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
	o := f.Request(Sample{Version: "a", Mode: "unready"})
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
	fine := f.Request(Sample{Version: "b"})
	wantAnswer(t, deploy(t, f, fine).Address(), fine.ID)
}
