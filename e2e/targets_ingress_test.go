//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/e2e/cluster"
)

// ingressDelay is how long a controller may take to serve what has changed: Traefik
// takes over changes every 2 s.
const ingressDelay = 10 * time.Second

// startIngress starts an ingress controller for this test alone, or skips it.
func (h *clusterProject) startIngress() *cluster.Ingress {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Minute) // includes the build
	defer cancel()
	i, err := h.cluster.StartIngress(ctx, h.namespace, cluster.Config{Log: os.Stderr})
	if errors.Is(err, cluster.ErrUnsupported) {
		h.t.Skip(err)
	}
	h.must(err)
	h.t.Cleanup(func() {
		if h.t.Failed() {
			h.t.Log(i.Logs())
		}
		keepLogs("traefik", i.Logs())
		if err := i.Stop(); err != nil {
			h.t.Error(err)
		}
	})
	return i
}

// requireServedAt checks that users at the address get responses of the release.
func (h *clusterProject) requireServedAt(url, release string) {
	h.t.Helper()
	var id identity
	var err error
	if !h.eventually(ingressDelay, func() bool { id, err = h.health(url); return err == nil && id.Release == release }) {
		h.t.Fatalf("%s/health = %+v, %v, want release %s", url, id, err, release)
	}
}

// behindIngress is the tiny service as most are: behind an Ingress for any host, and
// with the drain that Slipway gives a pod without one.
func behindIngress(class string) string {
	text := strings.NewReplacer(
		"          lifecycle: {preStop: {sleep: {seconds: 2}}}\n", "",
		"terminationGracePeriodSeconds: 5", "terminationGracePeriodSeconds: 15",
		"{name: PORT, value: \"8000\"}", "{name: PORT, value: \"8000\"}, {name: DRAIN_DELAY, value: 2s}",
	).Replace(tinyManifests)
	return text + `---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: tiny}
spec:
  ingressClassName: ` + class + `
  rules:
    - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: tiny, port: {name: http}}}}]}
`
}

// Users reach a release through an ingress controller, which learns of a switch later
// than the node: none of them notices a deploy, a bad release or a rollback.
func TestTargets_Ingress(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, tinyManifests)
	ingress := h.startIngress()
	h.write("k8s/tiny.yaml", behindIngress(ingress.Class))
	h.commit("behind an Ingress")
	url := "http://" + ingress.IP
	first := h.run().wantRun(0, "deployed").report.Release
	h.requireServedAt(url, first)
	var second string
	h.scenario("deploy", func() {
		h.edit("k8s/tiny.yaml", `ROUND: "0"`, `ROUND: "1"`)
		h.commit("the next one")
		second = h.throughController(url, func() result { return h.run().wantRun(0, "deployed") }).report.Release
		h.requireServing("tiny", second)
		h.requireServedAt(url, second)
	})
	h.scenario("bad release", func() {
		h.edit("k8s/tiny.yaml", "{name: DRAIN_DELAY,", `{name: TINY_BEHAVIOUR, value: never ready}, {name: DRAIN_DELAY,`)
		h.commit("never ready")
		defer h.git("reset", "-q", "--hard", "HEAD~1")
		h.throughController(url, func() result { return h.run().wantRun(3, "rolled_back") })
		h.requireServedAt(url, second)
	})
	h.scenario("rollback", func() {
		h.throughController(url, func() result { return h.slipway("rollback", "--env", "prod").wantExit(0) })
		h.requireServing("tiny", first)
		h.requireServedAt(url, first)
	})
}

// throughController runs something while users send requests through the controller,
// and until it has taken over every change; none of the requests may fail.
func (h *clusterProject) throughController(url string, do func() result) result {
	h.t.Helper()
	return h.underLoad(url, `{"n": 1}`, 0, func() result {
		r := do()
		time.Sleep(propagationDelay)
		return r
	})
}

// keepLogs adds text to the file that SLIPWAY_E2E_LOGS names: the ends of the logs of
// what the tests ran with.
func keepLogs(what, text string) {
	path := os.Getenv("SLIPWAY_E2E_LOGS")
	if path == "" || text == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(f, "# %s\n%s\n", what, text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "keep the logs:", err)
	}
}
