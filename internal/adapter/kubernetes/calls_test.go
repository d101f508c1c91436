//go:build e2e

package kubernetes_test

import (
	"net/http"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/lease"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// maxCalls is how many requests the API server may get for a small deploy, watches
// included. Those of plan and verify come on top, in a run.
const maxCalls = 40

// callCounter counts requests. Safe for concurrent use.
type callCounter struct {
	mu    sync.Mutex
	calls []string
}

// wrap returns a transport that counts.
func (c *callCounter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		c.mu.Lock()
		path := req.URL.Path
		if at := strings.Index(path, "/namespaces/"); at >= 0 {
			_, path, _ = strings.Cut(path[at+len("/namespaces/"):], "/")
		}
		if req.URL.Query().Has("watch") {
			path += " (watch)"
		}
		c.calls = append(c.calls, req.Method+" "+path)
		c.mu.Unlock()
		return next.RoundTrip(req)
	})
}

// take returns the requests since the last call.
func (c *callCounter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestTarget_Calls: a small deploy needs few requests, for all that is done.
func TestTarget_Calls(t *testing.T) {
	for _, strategy := range []delivery.Strategy{delivery.Rolling, delivery.BlueGreen} {
		t.Run(string(strategy), func(t *testing.T) {
			n := newTestNamespace(t)
			var counter callCounter
			target := n.targetWith(kubernetes.Config{Transport: counter.wrap, Lease: lease.Timing{}})
			recorded := &targetWithHistory{Target: target}
			request := n.requests(target, strategy)
			for _, version := range []string{"a", "b"} {
				counter.take()
				n.deployWhole(recorded, request(porttest.Sample{Version: version}))
			}
			calls := counter.take()
			sort.Strings(calls)
			t.Logf("%d requests:\n%s", len(calls), strings.Join(calls, "\n"))
			if len(calls) > maxCalls {
				t.Errorf("%d requests for a small deploy, want at most %d", len(calls), maxCalls)
			}
		})
	}
}

// deployWhole deploys a release with all that a run does.
func (n testNamespace) deployWhole(target *targetWithHistory, o port.DeployRequest) {
	n.t.Helper()
	ctx, report := n.t.Context(), func(string) {}
	err := target.Lock(ctx, o, report)
	if err == nil {
		_, err = target.LoadHistory(ctx, o.Service, o.Environment)
	}
	if err == nil {
		err = target.DryRun(ctx, o, report)
	}
	if err == nil {
		_, err = target.Stage(ctx, o, report)
	}
	if err == nil {
		_, err = target.Promote(ctx, o, report)
	}
	if err == nil {
		_, err = target.Observe(ctx, o.Service, o.Environment)
	}
	if err == nil {
		err = target.Finalize(ctx, o, report)
	}
	if err != nil {
		n.t.Fatalf("deploy %s: %v", o.ID, err)
	}
}
