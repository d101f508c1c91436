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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/e2e/cluster"
)

// sharedCluster is started by the first test that needs it, and stopped by TestMain.
var (
	sharedCluster  = sync.OnceValues(startCluster)
	clusterStarted atomic.Bool
)

func startCluster() (*cluster.Cluster, error) {
	clusterStarted.Store(true)
	if path := os.Getenv("KUBECONFIG"); path != "" {
		return cluster.Existing(path), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute) // includes the build
	defer cancel()
	return cluster.Start(ctx, cluster.Config{Log: os.Stderr})
}

func stopCluster() error {
	if !clusterStarted.Load() {
		return nil
	}
	if c, err := sharedCluster(); err == nil { // otherwise the tests have reported it
		keepLogs("cluster", c.Logs())
		return c.Stop()
	}
	return nil
}

// requireCluster returns a real cluster, or skips the test where none is possible.
func requireCluster(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := sharedCluster()
	if errors.Is(err, cluster.ErrUnsupported) {
		t.Skipf("no cluster here (KUBECONFIG would name one): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clusterProject is a project that deploys to a namespace of a real cluster, with no
// more rights than docs/kubernetes-role.yaml grants.
type clusterProject struct {
	*project
	cluster   *cluster.Cluster
	namespace string
	more      []string // namespaces of other environments
	registry  string   // the nodes pull from it
	cleaned   bool     // cleanUp was called
}

// newClusterProject makes a new namespace the project's target prod, and serves the
// project's registry to the nodes.
func newClusterProject(t *testing.T, p *project) *clusterProject {
	t.Helper()
	h := newNamespace(t, p)
	h.useTarget(fmt.Sprintf("{kubernetes: {namespace: %s, registry: %q}}", h.namespace, h.registry))
	h.serveRegistry()
	return h
}

// newNamespace makes a new namespace, where the project may deploy.
func newNamespace(t *testing.T, p *project) *clusterProject {
	t.Helper()
	c := requireCluster(t)
	h := &clusterProject{project: p, cluster: c, namespace: fmt.Sprintf("e2e-%08x", rand.Uint32())}
	h.registry = fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(20000))
	h.kubectl("create", "namespace", h.namespace)
	t.Cleanup(h.cleanUp)
	h.useServiceAccount()
	return h
}

// useTarget makes the target prod's.
func (h *clusterProject) useTarget(target string) {
	h.t.Helper()
	before, after := h.prodTarget()
	h.edit("slipway.yaml", before, after+"target: "+target)
}

// addEnvironment adds an environment in a namespace of its own, where the service account
// has the same rights. Options are more fields of its target.
func (h *clusterProject) addEnvironment(name, options string) (namespace string) {
	h.t.Helper()
	namespace = h.namespace + "-" + name
	h.kubectl("create", "namespace", namespace)
	h.more = append(h.more, namespace)
	h.kubectl("-n", namespace, "apply", "-f", "../docs/kubernetes-role.yaml")
	h.kubectl("-n", namespace, "create", "rolebinding", "elsewhere", "--role=slipway", "--serviceaccount="+h.namespace+":slipway")
	h.edit("slipway.yaml", "  prod: {", fmt.Sprintf("  %s: {on: {push: main}, target: {kubernetes: {namespace: %s%s}}}\n  prod: {", name, namespace, options))
	h.commit("another environment")
	return namespace
}

// cleanUp takes the service down while its service account still exists, and then
// deletes the namespace. The project's cleanup finds nothing to take down afterwards.
func (h *clusterProject) cleanUp() {
	if h.cleaned {
		return
	}
	h.cleaned = true
	if h.t.Failed() {
		h.dumpNamespace()
	}
	if len(h.results) > 0 {
		h.down()
	}
	if err := os.Remove(filepath.Join(h.dir, "slipway.yaml")); err != nil {
		h.t.Error(err)
	}
	for _, namespace := range append(h.more, h.namespace) {
		if _, err := h.cluster.Kubectl(context.Background(), "delete", "namespace", namespace, "--wait=false"); err != nil {
			h.t.Error(err)
		}
	}
}

// prodTarget returns the project's line for prod up to the end of its target, and up
// to its beginning.
func (h *clusterProject) prodTarget() (whole, prefix string) {
	h.t.Helper()
	_, rest, _ := strings.Cut(h.read(h.dir+"/slipway.yaml"), "prod: {")
	at := strings.Index(rest, "target: ")
	end := strings.Index(rest, "}}")
	if at < 0 || end < at {
		h.t.Fatal("slipway.yaml has no target for prod")
	}
	return "prod: {" + rest[:end+2], "prod: {" + rest[:at]
}

func (h *clusterProject) kubectl(args ...string) string {
	h.t.Helper()
	out, err := h.cluster.Kubectl(h.t.Context(), args...)
	h.must(err)
	return strings.TrimSpace(out)
}

// kubectlIn runs kubectl in the namespace.
func (h *clusterProject) kubectlIn(args ...string) string {
	h.t.Helper()
	return h.kubectl(append([]string{"-n", h.namespace}, args...)...)
}

func (h *clusterProject) apply(text string) {
	h.t.Helper()
	_, err := h.cluster.KubectlInput(h.t.Context(), text, "-n", h.namespace, "apply", "-f", "-")
	h.must(err)
}

// useServiceAccount creates Slipway's service account, and a kubeconfig with only its
// token.
func (h *clusterProject) useServiceAccount() {
	h.t.Helper()
	h.kubectlIn("apply", "-f", "../docs/kubernetes-role.yaml")
	token := h.kubectlIn("create", "token", "slipway", "--duration=12h")
	text, err := h.cluster.Kubectl(h.t.Context(), "config", "view", "--raw", "--minify", "--flatten", "-o", "json")
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

// serveRegistry serves the project's registry to the nodes until the test ends.
func (h *clusterProject) serveRegistry() {
	h.t.Helper()
	h.serve(h.registry)
}

// serve serves a registry of that address to the nodes: the project's, unless a variable
// says otherwise.
func (h *clusterProject) serve(address string, variables ...string) {
	h.t.Helper()
	cmd := h.cluster.Command(slipwayBinary(), "registry", "--listen", address)
	cmd.Dir, cmd.Env = h.dir, slices.Concat(h.env, variables)
	said, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	h.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := said.Read(make([]byte, 1)); err != nil { // it prints its address once it listens
		h.t.Fatalf("slipway registry ended: %v", err)
	}
}

// serviceURL returns the URL of a Service of the namespace.
func (h *clusterProject) serviceURL(service string) string {
	h.t.Helper()
	ip := h.kubectlIn("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")
	port := h.kubectlIn("get", "service", service, "-o", "jsonpath={.spec.ports[0].port}")
	return "http://" + net.JoinHostPort(ip, port)
}

// replicaSets returns the names of all ReplicaSets, old ones included.
func (h *clusterProject) replicaSets() []string {
	h.t.Helper()
	return strings.Fields(h.kubectlIn("get", "replicasets", "-o", "jsonpath={.items[*].metadata.name}"))
}
