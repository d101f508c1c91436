//go:build e2e

package kubernetes_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/e2e/cluster"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/verdict"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// sampleVariable holds the sample's path, and makes the test's own program a
// registry that has it as an image.
const sampleVariable = "SLIPWAY_TEST_REGISTRY_SAMPLE"

func TestMain(m *testing.M) {
	if sample := os.Getenv(sampleVariable); sample != "" {
		fmt.Fprintln(os.Stderr, "registry:", serveSample(sample))
		os.Exit(1)
	}
	code := m.Run()
	if err := theHarbour.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// serveSample serves a registry until whoever started it is gone, and prints the
// image's reference.
func serveSample(sample string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Close()
	}()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	img, err := packed(sample)
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	ref, err := name.NewDigest(fmt.Sprintf("%s/sample@%s", l.Addr(), digest))
	if err != nil {
		return err
	}
	if err := remote.Write(ref, img); err != nil {
		return err
	}
	fmt.Println(ref)
	return <-failed
}

// packed is an image with nothing but the program.
func packed(sample string) (v1.Image, error) {
	content, err := os.ReadFile(sample)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "sample", Mode: 0o755, Size: int64(len(content))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(layer.Bytes(), types.DockerUncompressedLayer))
	if err != nil {
		return nil, err
	}
	return mutate.Config(img, v1.Config{Entrypoint: []string{"/sample"}, User: "65532:65532"})
}

// harbour is a cluster, and a registry in its network.
type harbour struct {
	once     sync.Once
	err      error
	c        *cluster.Cluster
	registry *exec.Cmd
	hold     io.Closer // the registry lives until this is closed
	image    delivery.Image
	at       string // of the registry, for the nodes
}

var theHarbour harbour

func (h *harbour) open(t *testing.T) {
	t.Helper()
	h.once.Do(func() { h.err = h.start(t) })
	if errors.Is(h.err, cluster.ErrUnsupported) {
		t.Skipf("no cluster here (KUBECONFIG would name one): %v", h.err)
	}
	if h.err != nil {
		t.Fatal(h.err)
	}
}

func (h *harbour) start(t *testing.T) (err error) {
	if path := os.Getenv("KUBECONFIG"); path != "" {
		h.c = cluster.Existing(path)
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute) // it may have to be built
		defer cancel()
		if h.c, err = cluster.Start(ctx, cluster.Config{Log: os.Stderr}); err != nil {
			return err
		}
	}
	h.registry = h.c.Command(os.Args[0])
	h.registry.Env = append(os.Environ(), sampleVariable+"="+porttest.BuildSample(t))
	h.registry.Stderr = os.Stderr
	if h.hold, err = h.registry.StdinPipe(); err != nil {
		return err
	}
	out, err := h.registry.StdoutPipe()
	if err != nil {
		return err
	}
	if err := h.registry.Start(); err != nil {
		return err
	}
	said := bufio.NewScanner(out)
	if !said.Scan() {
		return errors.New("the registry says nothing")
	}
	repository, digest, _ := strings.Cut(said.Text(), "@")
	h.at, h.image.Repository, _ = strings.Cut(repository, "/")
	h.image.Digest = delivery.Digest(digest)
	return nil
}

func (h *harbour) stop() error {
	if h.hold != nil {
		h.hold.Close()
		_ = h.registry.Wait() // it ends with an error: nobody is there any more
	}
	if h.c == nil {
		return nil
	}
	return h.c.Stop()
}

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
		Patience:   verdict.Patience{Ready: 3 * time.Second},
		Lock:       kubernetes.LockTimes{Lasts: 4 * time.Second},
	})
	b.t.Cleanup(func() {
		if err := all.Close(); err != nil {
			b.t.Error(err)
		}
	})
	one, err := all.At(delivery.Place{Namespace: b.namespace, Registry: theHarbour.at})
	if err != nil {
		b.t.Fatal(err)
	}
	return one.(*kubernetes.Target)
}

// order makes orders of that strategy, all of one run.
func (b berth) order(target port.Renderer, strategy delivery.Strategy) func(porttest.Sample) port.Order {
	return func(s porttest.Sample) port.Order {
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
		return port.Order{
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
	h  port.Chapter
}

// Stage writes down before it touches.
func (r *recorded) Stage(ctx context.Context, o port.Order, say func(string)) (string, error) {
	r.mu.Lock()
	r.h.Service, r.h.Environment = o.Service, o.Environment
	if len(r.h.Deployments) == 0 || r.h.Deployments[0].Release != o.ID {
		r.h.Deployments = append([]delivery.Deployment{{
			Environment: o.Environment, Release: o.ID, Run: o.Run, State: delivery.Deploying, StartedAt: time.Now(),
		}}, r.h.Deployments...)
		r.keep(o)
	}
	err := r.Write(ctx, r.h)
	r.mu.Unlock()
	if err != nil {
		return "", err
	}
	return r.Target.Stage(ctx, o, say)
}

func (r *recorded) keep(o port.Order) {
	for _, known := range r.h.Releases {
		if known.ID == o.ID {
			return
		}
	}
	r.h.Releases = append(r.h.Releases, delivery.SavedRelease{ID: o.ID, Release: o.Release, CreatedAt: time.Now(), Run: o.Run})
}

// Promote writes down that it serves.
func (r *recorded) Promote(ctx context.Context, o port.Order, say func(string)) (port.Observation, error) {
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
	return seen, r.Write(ctx, r.h)
}

// Remove forgets with the target.
func (r *recorded) Remove(ctx context.Context, service string, env delivery.Environment) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h = port.Chapter{}
	return r.Target.Remove(ctx, service, env)
}

func fixture(t *testing.T, strategy delivery.Strategy) porttest.TargetFixture {
	t.Helper()
	b := newBerth(t)
	target := b.slipway()
	return porttest.TargetFixture{Target: &recorded{Target: target}, Order: b.order(target, strategy)}
}

func TestConformance(t *testing.T) {
	for _, strategy := range []delivery.Strategy{delivery.Rolling, delivery.BlueGreen} {
		t.Run(string(strategy), func(t *testing.T) {
			porttest.TestTarget(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, strategy) })
		})
	}
}

func TestMeter(t *testing.T) {
	porttest.TestMeter(t, func(t *testing.T) porttest.TargetFixture { return fixture(t, delivery.Rolling) })
}
