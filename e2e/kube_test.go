//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/e2e/cluster"
)

// theCluster is started when the first test wants one, and stopped by TestMain.
var (
	theCluster = sync.OnceValues(startCluster)
	wanted     atomic.Bool
)

func startCluster() (*cluster.Cluster, error) {
	wanted.Store(true)
	if path := os.Getenv("KUBECONFIG"); path != "" {
		return cluster.Existing(path), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute) // it may have to be built
	defer cancel()
	return cluster.Start(ctx, cluster.Config{Log: os.Stderr})
}

func stopCluster() error {
	if !wanted.Load() {
		return nil
	}
	if c, err := theCluster(); err == nil { // else the tests said so
		return c.Stop()
	}
	return nil
}

// kube is a real cluster, or the test is skipped where there can't be one.
func kube(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := theCluster()
	if errors.Is(err, cluster.ErrUnsupported) {
		t.Skipf("no cluster here (KUBECONFIG would name one): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// harbour is a project that delivers into a namespace of a real cluster, with no
// more rights than docs/kubernetes-role.yaml grants.
type harbour struct {
	*project
	c        *cluster.Cluster
	ns       string
	registry string // where the nodes pull from
}

// inCluster makes prod of the project a namespace of its own, and serves the
// project's registry to the nodes.
func inCluster(t *testing.T, p *project) *harbour {
	t.Helper()
	c := kube(t)
	h := &harbour{project: p, c: c, ns: fmt.Sprintf("e2e-%08x", rand.Uint32())}
	h.registry = fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(20000))
	h.kubectl("create", "namespace", h.ns)
	t.Cleanup(h.leave)
	h.role()
	before, after := h.prod()
	h.edit("slipway.yaml", before, after+fmt.Sprintf("target: {kubernetes: {namespace: %s, registry: %q}}", h.ns, h.registry))
	h.serveRegistry()
	return h
}

// leave takes the service down while its account still may, and then the
// namespace. The project's own cleanup finds nothing to take down any more.
func (h *harbour) leave() {
	if h.t.Failed() {
		h.describe()
	}
	if len(h.said) > 0 {
		h.down()
	}
	if err := os.Remove(filepath.Join(h.dir, "slipway.yaml")); err != nil {
		h.t.Error(err)
	}
	if _, err := h.c.Kubectl(context.Background(), "delete", "namespace", h.ns, "--wait=false"); err != nil {
		h.t.Error(err)
	}
}

// prod is the project's line for prod up to its target's end, and up to its
// target's beginning.
func (h *harbour) prod() (whole, beginning string) {
	h.t.Helper()
	_, rest, _ := strings.Cut(h.read(h.dir+"/slipway.yaml"), "prod: {")
	at := strings.Index(rest, "target: ")
	end := strings.Index(rest, "}}")
	if at < 0 || end < at {
		h.t.Fatal("slipway.yaml has no target for prod")
	}
	return "prod: {" + rest[:end+2], "prod: {" + rest[:at]
}

func (h *harbour) kubectl(args ...string) string {
	h.t.Helper()
	out, err := h.c.Kubectl(h.t.Context(), args...)
	h.must(err)
	return strings.TrimSpace(out)
}

// in is kubectl in the namespace.
func (h *harbour) in(args ...string) string {
	h.t.Helper()
	return h.kubectl(append([]string{"-n", h.ns}, args...)...)
}

func (h *harbour) apply(text string) {
	h.t.Helper()
	_, err := h.c.KubectlInput(h.t.Context(), text, "-n", h.ns, "apply", "-f", "-")
	h.must(err)
}

// role makes Slipway's own account, and a kubeconfig with nothing but its token.
func (h *harbour) role() {
	h.t.Helper()
	h.in("apply", "-f", "../docs/kubernetes-role.yaml")
	token := h.in("create", "token", "slipway", "--duration=12h")
	text, err := h.c.Kubectl(h.t.Context(), "config", "view", "--raw", "--minify", "--flatten", "-o", "json")
	h.must(err)
	var config map[string]any
	h.must(json.Unmarshal([]byte(text), &config))
	config["users"] = []any{map[string]any{"name": "slipway", "user": map[string]any{"token": token}}}
	for _, c := range config["contexts"].([]any) {
		c.(map[string]any)["context"].(map[string]any)["user"] = "slipway"
	}
	raw, err := json.Marshal(config)
	h.must(err)
	path := filepath.Join(h.base, "kubeconfig")
	h.must(os.WriteFile(path, raw, 0o600))
	h.env = append(h.env, "KUBECONFIG="+path)
}

// serveRegistry shows the project's registry to the nodes until the test ends.
func (h *harbour) serveRegistry() {
	h.t.Helper()
	cmd := h.c.Command(binary(), "registry", "--listen", h.registry)
	cmd.Dir, cmd.Env = h.dir, h.env
	said, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	h.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := said.Read(make([]byte, 1)); err != nil { // it prints its address once it listens
		h.t.Fatalf("slipway registry ended: %v", err)
	}
}

// reach is an address of a Service of the namespace that works from here.
func (h *harbour) reach(service string) string {
	h.t.Helper()
	ip := h.in("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")
	port := h.in("get", "service", service, "-o", "jsonpath={.spec.ports[0].port}")
	return "http://" + net.JoinHostPort(ip, port)
}

// revisions are the names of all ReplicaSets that a Deployment ever had.
func (h *harbour) revisions() []string {
	h.t.Helper()
	return strings.Fields(h.in("get", "replicasets", "-o", "jsonpath={.items[*].metadata.name}"))
}
