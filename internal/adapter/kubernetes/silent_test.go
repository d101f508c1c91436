package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// silentServers returns the ways in which an API server, or a node behind it, may fail to
// answer.
func silentServers() map[string]silenttest.Serve {
	ways := silenttest.HTTP()
	for name, serve := range fakeapi.Unresponsive() {
		ways[name] = serve
	}
	return ways
}

func TestTarget_SilentServer(t *testing.T) {
	for name, serve := range silentServers() {
		t.Run("server "+name, func(t *testing.T) {
			t.Parallel()
			target := New(Config{})
			target.conn = fakeapi.ClientAt(t, silenttest.Listen(t, serve).URL("http"))
			t.Cleanup(func() { _ = target.Close() })
			silenttest.Check(t, targetCalls(target))
		})
	}
}

func targetCalls(target *Target) silenttest.Calls {
	o, report := existingRequest(), func(string) {}
	calls := silenttest.Calls{
		"Target.Lock":         func(ctx context.Context) error { return target.Lock(ctx, o, report) },
		"Target.DryRun":       func(ctx context.Context) error { return target.DryRun(ctx, o, report) },
		"Target.Stage":        func(ctx context.Context) error { _, err := target.Stage(ctx, o, report); return err },
		"Target.Promote":      func(ctx context.Context) error { _, err := target.Promote(ctx, o, report); return err },
		"Target.SetWeight":    func(ctx context.Context) error { _, err := target.SetWeight(ctx, o, 10, report); return err },
		"Target.Finalize":     func(ctx context.Context) error { return target.Finalize(ctx, o, report) },
		"Target.Discard":      func(ctx context.Context) error { return target.Discard(ctx, o) },
		"Target.Remove":       func(ctx context.Context) error { return target.Remove(ctx, o.Service, o.Environment) },
		"Target.Diff":         func(ctx context.Context) error { _, err := target.Diff(ctx, o); return err },
		"Target.Drift":        func(ctx context.Context) error { _, err := target.Drift(ctx, o); return err },
		"Target.ConfirmLive":  func(ctx context.Context) error { _, err := target.ConfirmLive(ctx, o); return err },
		"Target.Adopt":        func(ctx context.Context) error { return target.Adopt(ctx, o, report) },
		"Target.FindLatest":   func(ctx context.Context) error { _, err := target.FindLatest(ctx, "api"); return err },
		"Target.FindExisting": func(ctx context.Context) error { _, _, err := target.FindExisting(ctx, o); return err },
	}
	maps.Copy(calls, readingCalls(target, o))
	return calls
}

// readingCalls are those that change nothing but the records.
func readingCalls(target *Target, o port.DeployRequest) silenttest.Calls {
	return silenttest.Calls{
		"Target.Observe": func(ctx context.Context) error { _, err := target.Observe(ctx, o.Service, o.Environment); return err },
		"Target.Traffic": func(ctx context.Context) error {
			_, err := target.Traffic(ctx, o.Service, o.Environment, o.ID, time.Time{})
			return err
		},
		"Target.Compare":  func(ctx context.Context) error { _, _, err := target.Compare(ctx, o, time.Time{}); return err },
		"Target.Identify": func(ctx context.Context) error { _, err := target.Identify(ctx, o, "http://127.0.0.1:1"); return err },
		"Target.ReplicaLogs": func(ctx context.Context) error {
			_, err := target.ReplicaLogs(ctx, o.Service, o.Environment, 10)
			return err
		},
		"Target.SaveHistory": func(ctx context.Context) error {
			return target.SaveHistory(ctx, silentHistory(o))
		},
		"Target.LoadHistory": func(ctx context.Context) error {
			_, err := target.LoadHistory(ctx, o.Service, o.Environment)
			return err
		},
		"Target.ReadPolicy": func(ctx context.Context) error { _, _, err := target.ReadPolicy(ctx); return err },
		"Target.Anchor":     func(ctx context.Context) error { _, err := target.Anchor(ctx, o.Service, o.Environment); return err },
		"Target.SetAnchor": func(ctx context.Context) error {
			return target.SetAnchor(ctx, o.Service, o.Environment, port.LogMark{}, port.Anchor{})
		},
	}
}

// silentHistory has one deployment.
func silentHistory(o port.DeployRequest) port.History {
	d := delivery.Deployment{ID: 1, Environment: o.Environment, Release: o.ID, State: delivery.Serving}
	return port.History{
		Service: o.Service, Environment: o.Environment, Deployments: []delivery.Deployment{d},
		Releases: []delivery.ReleaseRecord{{ID: o.ID, Release: o.Release}},
	}
}

// TestTarget_SilentAfter: an API server that answers some requests of a call, and no more.
func TestTarget_SilentAfter(t *testing.T) {
	for answered := 1; answered <= 16; answered++ {
		t.Run(fmt.Sprintf("%d requests", answered), func(t *testing.T) {
			t.Parallel()
			calls := silenttest.Calls{}
			for name := range targetCalls(New(Config{})) {
				cluster := newExistingCluster(t)
				cluster.Before = silentAfter(answered)
				target := newTarget(t, cluster.Server)
				call := targetCalls(target)[name]
				calls[name] = func(ctx context.Context) error { return silenttest.MaySucceed(call(ctx)) }
			}
			silenttest.Check(t, calls)
		})
	}
}

// silentAfter lets some requests through; the others end with their contexts.
func silentAfter(answered int) func(*http.Request) error {
	var requests atomic.Int64
	return func(req *http.Request) error {
		if requests.Add(1) <= int64(answered) {
			return nil
		}
		<-req.Context().Done()
		return context.Cause(req.Context())
	}
}

func TestTarget_SilentServerThenHealthy(t *testing.T) {
	cluster := newExistingCluster(t)
	healthy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		code, content := cluster.Respond(req)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(content)
	}))
	defer healthy.Close()
	gate := silenttest.NewGate(t, "tcp", healthy.Listener.Addr().String())
	target := New(Config{})
	target.conn = fakeapi.ClientAt(t, gate.URL("http"))
	defer target.Close()
	gate.CheckHealthy(t, func(ctx context.Context) error { _, _, err := target.FindExisting(ctx, existingRequest()); return err })
}
