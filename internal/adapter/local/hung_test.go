//go:build linux

package local_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestReplica_HungIsReplaced: of two replicas one stops responding. Requests go to the
// other one meanwhile, and the first one is started again.
func TestReplica_HungIsReplaced(t *testing.T) {
	for _, c := range []struct {
		name  string
		hang  func(t *testing.T, s *testTarget, url string)
		cause string
	}{
		{"stopped by a signal", stopReplica, "a signal has stopped the process"},
		{"responds to nothing", freezeReplica, "no response to /ready for "},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestTarget(t, func(c *local.Config) { c.ProbeInterval, c.HungTimeout = 200*time.Millisecond, time.Second })
			a := s.request(porttest.Sample{Version: "a"})
			url := s.deploy(t, a).URL
			c.hang(t, s, url)
			eventually(t, s.replicas(a, func(r port.Replica) bool { return r.State == port.ReplicaUnresponsive || r.Restarts > 0 }))
			for range 10 { // without the hung one
				if err := checkServing(url, a.ID)(); err != nil {
					t.Error(err)
				}
			}
			eventually(t, s.replicas(a, func(r port.Replica) bool {
				return r.State == port.ReplicaReady && r.Restarts == 1 && strings.Contains(r.Cause, c.cause)
			}))
			eventually(t, s.replicas(a, func(r port.Replica) bool { return r.State == port.ReplicaReady && r.Restarts == 0 }))
		})
	}
}

// TestReplica_BusyIsKept: a service that responds again is not started anew, and the
// only replica keeps getting its requests.
func TestReplica_BusyIsKept(t *testing.T) {
	s := newTestTarget(t, func(c *local.Config) { c.ProbeInterval, c.HungTimeout = 200*time.Millisecond, 30*time.Second })
	a := s.request(porttest.Sample{Version: "a"})
	a.Release.Workload.Replicas = 1
	url := s.deploy(t, a).URL
	_ = freeze(url) // gives up after its timeout
	eventually(t, s.replicas(a, func(r port.Replica) bool { return r.State == port.ReplicaUnresponsive }))
	if _, err := fetch(url + "/thaw"); err != nil {
		t.Fatal(err)
	}
	eventually(t, s.replicas(a, func(r port.Replica) bool { return r.State == port.ReplicaReady && r.Restarts == 0 && r.Cause == "" }))
}

// replicas returns an error unless one of the release's replicas is as wanted.
func (s *testTarget) replicas(o port.DeployRequest, wanted func(port.Replica) bool) func() error {
	return func() error {
		seen, err := s.Observe(context.Background(), o.Service, o.Environment)
		if err != nil {
			return err
		}
		for _, r := range seen.Replicas {
			if wanted(r) {
				return nil
			}
		}
		return fmt.Errorf("replicas %+v", seen.Replicas)
	}
}

func stopReplica(t *testing.T, s *testTarget, _ string) {
	t.Helper()
	pids := replicaPIDs(t, s.cfg.Dir)
	if len(pids) == 0 {
		t.Fatal("no process is recorded")
	}
	if err := syscall.Kill(pids[len(pids)-1], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

func freezeReplica(t *testing.T, _ *testTarget, url string) {
	t.Helper()
	if err := freeze(url); err == nil {
		t.Fatal("the replica responded to /freeze")
	}
}

// freeze makes one replica respond to nothing any more.
func freeze(url string) error {
	resp, err := (&http.Client{Timeout: 300 * time.Millisecond}).Post(url+"/freeze", "text/plain", strings.NewReader("x"))
	if err != nil {
		return err
	}
	return errors.Join(fmt.Errorf("status %d", resp.StatusCode), resp.Body.Close())
}
