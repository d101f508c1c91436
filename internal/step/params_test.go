package step_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// oneForAll are parameters as plans had them when deploy, verify, watch and
// rollback shared one type (up to commit 16ee5d5). Such plans are still finished.
const oneForAll = `{
 "target": "kubernetes", "place": {"context": "kind", "namespace": "shop"}, "port": 8000,
 "workload": {"replicas": 2, "env": {"A": "1"}, "health": "/health", "drain": "10s"},
 "model": {"group": "prices", "version": 7, "digest": "sha256:aa"}, "release": "r-0123456789ab",
 "healthy": 3, "within": "1m0s",
 "checks": [{"name": "predict", "method": "POST", "path": "/predict", "json": "{}", "status": 200, "expect": ["status == 200"]}],
 "strategy": "canary", "canary": {"steps": [{"weight": 10, "bake": "1m0s"}], "no_traffic": "fail"},
 "bake": "5m0s", "watch": {"error_rate": 0.01, "p95": "200ms", "min_requests": 1, "no_traffic": "accept"},
 "manifests": ["k8s/"], "values": ["values.yaml"], "deliver": "init",
 "scanned": true, "trust": {"root": "pem", "require": ["signature"]}, "why": "prices are wrong"
}`

func location(t *testing.T) delivery.Location {
	t.Helper()
	l, err := delivery.NewLocation(map[string]string{"context": "kind", "namespace": "shop"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func decode[P any](t *testing.T) P {
	t.Helper()
	p, err := step.ParamsOf[P](step.Spec{Name: "x", Params: json.RawMessage(oneForAll)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParamsOf_ReadsEarlierPlans(t *testing.T) {
	rollout := step.RolloutParams{
		Target: "kubernetes", Location: location(t), Port: 8000, Timeout: delivery.Duration(time.Minute), Strategy: delivery.Canary,
	}
	probe := step.ProbeParams{SuccessThreshold: 3, Checks: []step.Check{{
		Name: "predict", Method: "POST", Path: "/predict", JSON: "{}", Status: 200, Expect: []string{"status == 200"},
	}}}
	trust := &step.TrustParams{TrustPolicy: port.TrustPolicy{Root: "pem"}, Require: []string{step.RequireSignature}}
	const release = delivery.ReleaseID("r-0123456789ab")
	t.Run("deploy", func(t *testing.T) {
		want := step.DeployParams{
			RolloutParams: rollout, ProbeParams: probe, Release: release, RequireScan: true, Trust: trust,
			ManifestParams: step.ManifestParams{Manifests: []string{"k8s/"}, Values: []string{"values.yaml"}, ModelDelivery: delivery.DeliverByInit},
			Workload:       delivery.Workload{Replicas: 2, Env: map[string]string{"A": "1"}, Health: "/health", Drain: delivery.Duration(10 * time.Second)},
			Model:          &delivery.ModelRef{Group: "prices", Version: 7, Digest: "sha256:aa"},
			Canary: &step.CanaryParams{
				Steps: []step.CanaryStep{{Weight: 10, Bake: delivery.Duration(time.Minute)}}, NoTraffic: step.FailNoTraffic,
			},
		}
		if diff := cmp.Diff(want, decode[step.DeployParams](t), cmp.Comparer(func(a, b delivery.Location) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("verify", func(t *testing.T) {
		want := step.VerifyParams{RolloutParams: rollout, ProbeParams: probe, Release: release}
		if diff := cmp.Diff(want, decode[step.VerifyParams](t), cmp.Comparer(func(a, b delivery.Location) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("watch", func(t *testing.T) {
		want := step.WatchParams{
			RolloutParams: rollout, Bake: delivery.Duration(5 * time.Minute),
			Thresholds: step.WatchThresholds{ErrorRate: 0.01, P95: delivery.Duration(200 * time.Millisecond), MinRequests: 1, NoTraffic: step.AcceptNoTraffic},
		}
		if diff := cmp.Diff(want, decode[step.WatchParams](t), cmp.Comparer(func(a, b delivery.Location) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("rollback", func(t *testing.T) {
		want := step.RollbackParams{RolloutParams: rollout, ProbeParams: probe, Release: release, Trust: trust, Reason: "prices are wrong"}
		if diff := cmp.Diff(want, decode[step.RollbackParams](t), cmp.Comparer(func(a, b delivery.Location) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	})
}

// TestParams_KeepKeys holds every key that plans are stored with: none may be
// renamed, and no key is written that earlier plans did not have.
func TestParams_KeepKeys(t *testing.T) {
	var want map[string]json.RawMessage
	if err := json.Unmarshal([]byte(oneForAll), &want); err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, p := range []any{
		decode[step.DeployParams](t), decode[step.VerifyParams](t), decode[step.WatchParams](t), decode[step.RollbackParams](t),
	} {
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		for key, value := range got {
			written[key] = true
			var a, b any
			if json.Unmarshal(value, &a) != nil || json.Unmarshal(want[key], &b) != nil {
				t.Errorf("%T: key %q is not one of an earlier plan", p, key)
			} else if diff := cmp.Diff(b, a); diff != "" {
				t.Errorf("%T: %q: %s", p, key, diff)
			}
		}
	}
	for key := range want {
		if !written[key] {
			t.Errorf("no step writes %q", key)
		}
	}
}
