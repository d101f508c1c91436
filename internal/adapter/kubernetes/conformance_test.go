//go:build e2e

package kubernetes_test

import (
	"context"
	"crypto/sha256"
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
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// berth is a namespace with an account that may no more than Slipway's role.
type berth struct {
	t          *testing.T
	namespace  string
	kubeconfig []byte
}

func newBerth(t *testing.T) berth {
	t.Helper()
	h := &theHarbour
	h.open(t)
	b := berth{t: t, namespace: fmt.Sprintf("conformance-%08x", rand.Uint32())}
	b.kubectl("create", "namespace", b.namespace)
	t.Cleanup(func() {
		if t.Failed() {
			all, _ := h.c.Kubectl(context.Background(), "-n", b.namespace, "get", "deployments,replicasets,pods,services,leases,events", "-o", "wide")
			t.Log(all)
		}
		if _, err := h.c.Kubectl(context.Background(), "delete", "namespace", b.namespace, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	b.kubectl("-n", b.namespace, "apply", "-f", "../../../docs/kubernetes-role.yaml")
	token := strings.TrimSpace(b.kubectl("-n", b.namespace, "create", "token", "slipway", "--duration=1h"))
	path := t.TempDir() + "/kubeconfig"
	text := b.kubectl("config", "view", "--raw", "--minify", "--flatten")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"set-credentials", "slipway", "--token", token}, {"set-context", "--current", "--user", "slipway"}} {
		if said, err := exec.Command("kubectl", append([]string{"--kubeconfig", path, "config"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
	}
	var err error
	if b.kubeconfig, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b berth) kubectl(args ...string) string {
	b.t.Helper()
	out, err := theHarbour.c.Kubectl(b.t.Context(), args...)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// slipway is one Slipway that delivers into the berth.
func (b berth) slipway() *kubernetes.Target {
	b.t.Helper()
	all := kubernetes.New(kubernetes.Config{
		Kubeconfig: b.kubeconfig,
		Timeouts:   readiness.Timeouts{Ready: 3 * time.Second},
		Lease:      kubernetes.LockTimes{Lasts: 4 * time.Second},
	})
	b.t.Cleanup(func() {
		if err := all.Close(); err != nil {
			b.t.Error(err)
		}
	})
	one, err := all.For(delivery.Location{Namespace: b.namespace, Registry: theHarbour.at})
	if err != nil {
		b.t.Fatal(err)
	}
	return one.(*kubernetes.Target)
}

// order makes orders of that strategy, all of one run.
func (b berth) order(target port.Renderer, strategy delivery.Strategy) func(porttest.Sample) port.DeployRequest {
	return func(s porttest.Sample) port.DeployRequest {
		b.t.Helper()
		rel := delivery.Release{
			Schema: 1, Service: "sample", Image: theHarbour.image,
			Workload: delivery.Workload{
				Replicas: 2, Health: "/health", Ready: "/ready", Drain: delivery.Duration(5 * time.Second),
				Env: map[string]string{"SAMPLE_VERSION": s.Version, "SAMPLE_MODE": s.Mode, "SAMPLE_HOST": "0.0.0.0"},
			},
		}
		out, err := target.Render(b.t.Context(), port.Manifests{Service: rel.Service, Image: rel.Image, Workload: rel.Workload})
		if err != nil {
			b.t.Fatal(err)
		}
		rel.Objects = out.Objects
		rel.Manifests = delivery.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(out.Objects))))
		return port.DeployRequest{
			Service: rel.Service, Environment: "test", ID: delivery.ReleaseID("r-" + rel.Manifests.Short()), Release: rel,
			Run: "run-1", Strategy: strategy, Secrets: out.Secrets,
		}
	}
}

// recorded is the target with a history beside what serves, as runs keep it: going
// back needs it.
type recorded struct {
	*kubernetes.Target
	mu sync.Mutex
	h  port.History
}

// Stage writes down before it touches.
func (r *recorded) Stage(ctx context.Context, o port.DeployRequest, say func(string)) (string, error) {
	r.mu.Lock()
	r.h.Service, r.h.Environment = o.Service, o.Environment
	if len(r.h.Deployments) == 0 || r.h.Deployments[0].Release != o.ID {
		r.h.Deployments = append([]delivery.Deployment{{
			Environment: o.Environment, Release: o.ID, Run: o.Run, State: delivery.Deploying, StartedAt: time.Now(),
		}}, r.h.Deployments...)
		r.keep(o)
	}
	err := r.SaveHistory(ctx, r.h)
	r.mu.Unlock()
	if err != nil {
		return "", err
	}
	return r.Target.Stage(ctx, o, say)
}

func (r *recorded) keep(o port.DeployRequest) {
	for _, known := range r.h.Releases {
		if known.ID == o.ID {
			return
		}
	}
	r.h.Releases = append(r.h.Releases, delivery.ReleaseRecord{ID: o.ID, Release: o.Release, CreatedAt: time.Now(), Run: o.Run})
}

// Promote writes down that it serves.
func (r *recorded) Promote(ctx context.Context, o port.DeployRequest, say func(string)) (port.Observation, error) {
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

// Remove forgets with the target.
func (r *recorded) Remove(ctx context.Context, service string, env delivery.Environment) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h = port.History{}
	return r.Target.Remove(ctx, service, env)
}

func fixture(t *testing.T, strategy delivery.Strategy) porttest.TargetFixture {
	t.Helper()
	b := newBerth(t)
	target := b.slipway()
	return porttest.TargetFixture{
		Target: &recorded{Target: target}, Request: b.order(target, strategy),
		StopsSlowly: true, KeepsPrevious: strategy == delivery.BlueGreen,
	}
}

func TestConformance(t *testing.T) {
	for _, strategy := range []delivery.Strategy{delivery.Rolling, delivery.BlueGreen} {
		t.Run(string(strategy), func(t *testing.T) {
			porttest.TestTarget(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, strategy) })
		})
	}
}

func TestSettler(t *testing.T) {
	for _, strategy := range []delivery.Strategy{delivery.Rolling, delivery.BlueGreen} {
		t.Run(string(strategy), func(t *testing.T) {
			porttest.TestFinalizer(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, strategy) })
		})
	}
}

func TestShifter(t *testing.T) {
	porttest.TestTrafficSplitter(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, delivery.Canary) })
}

func TestComparer(t *testing.T) {
	porttest.TestMetricsComparer(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, delivery.Canary) })
}

func TestMeter(t *testing.T) {
	porttest.TestTrafficReporter(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, delivery.Rolling) })
}

func TestChronicler(t *testing.T) {
	porttest.TestHistoryStore(t, func(t *testing.T) porttest.HistoryStoreFixture {
		b := newBerth(t)
		var last *kubernetes.Target
		return porttest.HistoryStoreFixture{
			Damage: b.damage,
			Open: func(t *testing.T) port.HistoryStore {
				if last != nil {
					if err := last.Close(); err != nil {
						t.Fatal(err)
					}
				}
				last = b.slipway()
				return last
			},
		}
	})
}

// damage changes a record as somebody with kubectl could.
func (b berth) damage(t *testing.T, id delivery.ReleaseID, way int) bool {
	t.Helper()
	const history, part = "slipway-sample-prod", "slipway-sample-prod-%s-0"
	packed := func(text string) string {
		return fmt.Sprintf(`{"binaryData":{"release.json.gz":%q}}`, base64.StdEncoding.EncodeToString([]byte(text)))
	}
	name, patches := fmt.Sprintf(part, id), []string{packed("no gzip"), packed(""), `{"binaryData":null}`}
	if id == "" {
		name, patches = history, []string{`{"data":{"history.json":"{"}}`, `{"data":{"history.json":null}}`}
	}
	if way == len(patches) {
		return false
	}
	if id == "" {
		b.kubectl("-n", b.namespace, "patch", "configmap", name, "--type=merge", "-p", patches[way])
		return true
	}
	// It is immutable: who wants to change it puts another in its place.
	var o map[string]any
	if err := json.Unmarshal([]byte(b.kubectl("-n", b.namespace, "get", "configmap", name, "-o", "json")), &o); err != nil {
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
	b.kubectl("-n", b.namespace, "delete", "configmap", name)
	if _, err := theHarbour.c.KubectlInput(t.Context(), string(raw), "-n", b.namespace, "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	return true
}
