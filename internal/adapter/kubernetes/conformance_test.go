//go:build e2e

package kubernetes_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/lease"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// testNamespace is a namespace, with an account that has Slipway's role and no other.
type testNamespace struct {
	t          *testing.T
	namespace  string
	kubeconfig []byte
}

func newTestNamespace(t *testing.T) testNamespace {
	t.Helper()
	h := &sharedCluster
	h.open(t)
	n := testNamespace{t: t, namespace: fmt.Sprintf("conformance-%08x", rand.Uint32())}
	n.kubectl("create", "namespace", n.namespace)
	t.Cleanup(func() {
		if t.Failed() {
			all, _ := h.cluster.Kubectl(context.Background(), "-n", n.namespace, "get", "deployments,replicasets,pods,services,leases,events", "-o", "wide")
			t.Log(all)
		}
		if _, err := h.cluster.Kubectl(context.Background(), "delete", "namespace", n.namespace, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	n.kubectl("-n", n.namespace, "apply", "-f", "../../../docs/kubernetes-role.yaml")
	token := strings.TrimSpace(n.kubectl("-n", n.namespace, "create", "token", "slipway", "--duration=1h"))
	path := t.TempDir() + "/kubeconfig"
	text := n.kubectl("config", "view", "--raw", "--minify", "--flatten")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"set-credentials", "slipway", "--token", token}, {"set-context", "--current", "--user", "slipway"}} {
		if output, err := exec.Command("kubectl", append([]string{"--kubeconfig", path, "config"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	var err error
	if n.kubeconfig, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n testNamespace) kubectl(args ...string) string {
	n.t.Helper()
	out, err := sharedCluster.cluster.Kubectl(n.t.Context(), args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// target returns the target of one Slipway that deploys into the namespace. Pods may
// take some seconds to be ready while other tests start theirs.
func (n testNamespace) target() *kubernetes.Target {
	n.t.Helper()
	return n.targetWith(kubernetes.Config{
		Timeouts: readiness.Timeouts{Ready: 15 * time.Second},
		Lease:    lease.Timing{LeaseDuration: 4 * time.Second},
	})
}

// targetWith is target with other settings.
func (n testNamespace) targetWith(config kubernetes.Config) *kubernetes.Target {
	n.t.Helper()
	target := n.openTarget(config)
	n.t.Cleanup(func() {
		if err := target.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return target
}

// openTarget is targetWith for who closes it, or does not.
func (n testNamespace) openTarget(config kubernetes.Config) *kubernetes.Target {
	n.t.Helper()
	config.Kubeconfig = n.kubeconfig
	location, err := delivery.NewLocation(kubernetes.Section{Namespace: n.namespace, Registry: sharedCluster.address})
	if err != nil {
		n.t.Fatal(err)
	}
	bound, err := kubernetes.New(config).For(location)
	if err != nil {
		n.t.Fatal(err)
	}
	return bound.(*kubernetes.Target)
}

// requests returns deploy requests of that strategy, all of one run.
func (n testNamespace) requests(target port.Renderer, strategy delivery.Strategy) func(porttest.Sample) port.DeployRequest {
	return func(s porttest.Sample) port.DeployRequest {
		n.t.Helper()
		rel := delivery.Release{
			Schema: 1, Service: "sample", Image: sharedCluster.image,
			Workload: delivery.Workload{
				Replicas: 2, Health: "/health", Ready: "/ready", Drain: delivery.Duration(5 * time.Second),
				Env: map[string]string{"SAMPLE_VERSION": s.Version, "SAMPLE_MODE": s.Mode, "SAMPLE_HOST": "0.0.0.0"},
			},
		}
		out, err := target.Render(n.t.Context(), port.Manifests{Service: rel.Service, Image: rel.Image, Workload: rel.Workload})
		if err != nil {
			n.t.Fatal(err)
		}
		rel.Objects = out.Objects
		rel.Manifests = delivery.DigestOf([]byte(out.Objects))
		return port.DeployRequest{
			Service: rel.Service, Environment: "test", ID: delivery.ReleaseID("r-" + rel.Manifests.Short()), Release: rel,
			Run: "run-1", Strategy: strategy, Secrets: out.Secrets,
		}
	}
}

// targetWithHistory saves the history as runs do: a rollback needs it.
type targetWithHistory struct {
	*kubernetes.Target
	mu sync.Mutex
	h  port.History
}

// Stage records the deployment first.
func (r *targetWithHistory) Stage(ctx context.Context, o port.DeployRequest, say func(string)) (string, error) {
	r.mu.Lock()
	r.h.Service, r.h.Environment = o.Service, o.Environment
	if len(r.h.Deployments) == 0 || r.h.Deployments[0].Release != o.ID {
		r.h.Deployments = append([]delivery.Deployment{{
			Environment: o.Environment, Release: o.ID, Run: o.Run, State: delivery.Deploying, StartedAt: time.Now(),
		}}, r.h.Deployments...)
		r.recordRelease(o)
	}
	err := r.SaveHistory(ctx, r.h)
	r.mu.Unlock()
	if err != nil {
		return "", err
	}
	return r.Target.Stage(ctx, o, say)
}

func (r *targetWithHistory) recordRelease(o port.DeployRequest) {
	for _, known := range r.h.Releases {
		if known.ID == o.ID {
			return
		}
	}
	r.h.Releases = append(r.h.Releases, delivery.ReleaseRecord{ID: o.ID, Release: o.Release, CreatedAt: time.Now(), Run: o.Run})
}

// Promote records that it was accepted.
func (r *targetWithHistory) Promote(ctx context.Context, o port.DeployRequest, say func(string)) (port.Observation, error) {
	seen, err := r.Target.Promote(ctx, o, say)
	if err != nil {
		return seen, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.h.Deployments {
		d := &r.h.Deployments[i]
		switch {
		case d.Release == o.ID && i == 0:
			d.State, d.ServingAt = delivery.Serving, time.Now()
		case d.State == delivery.Serving:
			d.State = delivery.Replaced
		}
	}
	return seen, r.SaveHistory(ctx, r.h)
}

// Remove removes the history, too.
func (r *targetWithHistory) Remove(ctx context.Context, service string, env delivery.Environment) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h = port.History{}
	return r.Target.Remove(ctx, service, env)
}

func fixture(t *testing.T, strategy delivery.Strategy) porttest.TargetFixture {
	t.Helper()
	n := newTestNamespace(t)
	target := n.target()
	return porttest.TargetFixture{
		Target: &targetWithHistory{Target: target}, Request: n.requests(target, strategy),
		StopsSlowly: true, KeepsPrevious: strategy == delivery.BlueGreen,
	}
}

func TestTarget_Conformance(t *testing.T) {
	t.Parallel()
	for _, strategy := range []delivery.Strategy{delivery.Rolling, delivery.BlueGreen} {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			porttest.TestTarget(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, strategy) })
		})
	}
}

func TestTarget_Finalizer(t *testing.T) {
	t.Parallel()
	for _, strategy := range []delivery.Strategy{delivery.Rolling, delivery.BlueGreen} {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			porttest.TestFinalizer(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, strategy) })
		})
	}
}

func TestTarget_DriftReporter(t *testing.T) {
	t.Parallel()
	porttest.TestDriftReporter(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, delivery.Rolling) })
}

func TestTarget_TrafficSplitter(t *testing.T) {
	t.Parallel()
	porttest.TestTrafficSplitter(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, delivery.Canary) })
}

func TestTarget_MetricsComparer(t *testing.T) {
	t.Parallel()
	porttest.TestMetricsComparer(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, delivery.Canary) })
}

func TestTarget_TrafficReporter(t *testing.T) {
	t.Parallel()
	porttest.TestTrafficReporter(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, delivery.Rolling) })
}

// TestTarget_Identifier: the intruder is any pod of the service that may come, once the
// Service's selector no longer names the release.
func TestTarget_Identifier(t *testing.T) {
	t.Parallel()
	porttest.TestIdentifier(t, func(t *testing.T) porttest.IdentifierFixture {
		n := newTestNamespace(t)
		target := n.target()
		return porttest.IdentifierFixture{
			TargetFixture: porttest.TargetFixture{
				Target: &targetWithHistory{Target: target}, Request: n.requests(target, delivery.Rolling), StopsSlowly: true,
			},
			Intrude: func(_ *testing.T, _ port.Observation, current, _ port.DeployRequest) func() {
				patch := func(release string) {
					n.kubectl("-n", n.namespace, "patch", "service", "sample", "--type=merge", "-p", fmt.Sprintf(`{"spec":{"selector":{"slipway.dev/release":%s}}}`, release))
				}
				patch("null")
				return func() { patch(fmt.Sprintf("%q", current.ID)) }
			},
		}
	})
}

func TestTarget_HistoryStore(t *testing.T) {
	t.Parallel()
	porttest.TestHistoryStore(t, func(t *testing.T) porttest.HistoryStoreFixture {
		n := newTestNamespace(t)
		var last *kubernetes.Target
		return porttest.HistoryStoreFixture{
			Damage: n.damage,
			Open: func(t *testing.T) port.HistoryStore {
				if last != nil {
					if err := last.Close(); err != nil {
						t.Fatal(err)
					}
				}
				last = n.target()
				return last
			},
		}
	})
}

// damage changes a record as a user with kubectl could.
func (n testNamespace) damage(t *testing.T, id delivery.ReleaseID, way int) bool {
	t.Helper()
	const history, part = "slipway-sample-prod", "slipway-sample-prod-%s-0"
	compressed := func(text string) string {
		return fmt.Sprintf(`{"binaryData":{"release.json.gz":%q}}`, base64.StdEncoding.EncodeToString([]byte(text)))
	}
	name, patches := fmt.Sprintf(part, id), []string{compressed("no gzip"), compressed(""), `{"binaryData":null}`}
	if id == "" {
		name, patches = history, []string{`{"data":{"history.json":"{"}}`, `{"data":{"history.json":null}}`}
	}
	if way == len(patches) {
		return false
	}
	if id == "" {
		n.kubectl("-n", n.namespace, "patch", "configmap", name, "--type=merge", "-p", patches[way])
		return true
	}
	// It is immutable: to change it, it must be replaced.
	var o map[string]any
	if err := json.Unmarshal([]byte(n.kubectl("-n", n.namespace, "get", "configmap", name, "-o", "json")), &o); err != nil {
		t.Fatal(err)
	}
	var patch map[string]any
	if err := json.Unmarshal([]byte(patches[way]), &patch); err != nil {
		t.Fatal(err)
	}
	delete(o, "immutable")
	o["binaryData"] = patch["binaryData"]
	meta := o["metadata"].(map[string]any)
	for _, field := range []string{"resourceVersion", "uid", "creationTimestamp", "managedFields"} {
		delete(meta, field)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	n.kubectl("-n", n.namespace, "delete", "configmap", name)
	if _, err := sharedCluster.cluster.KubectlInput(t.Context(), string(raw), "-n", n.namespace, "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	return true
}

// TestTarget_LogAnchor: with the role, which may not update.
func TestTarget_LogAnchor(t *testing.T) {
	t.Parallel()
	porttest.TestLogAnchor(t, func(t *testing.T) porttest.LogAnchorFixture {
		n := newTestNamespace(t)
		return porttest.LogAnchorFixture{
			Open: func(*testing.T) port.LogAnchor { return n.target() },
			Damage: func(*testing.T) {
				n.kubectl("-n", n.namespace, "patch", "configmap", "slipway-sample-prod.anchor", "--type=merge", "-p", `{"data":{"anchor.json":"{"}}`)
			},
			Remove: func(t *testing.T) {
				if err := n.target().Remove(t.Context(), "sample", "prod"); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}
