//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// killedImport is an import into an environment of its own, and when it is killed.
type killedImport struct {
	name, env string
	text      string        // killed once it prints this,
	after     time.Duration // and this has passed

	in   *clusterProject
	url  string
	pods []string // before
	load *loadGenerator
	next *started // the next import
}

// TestTargets_FirstDeploy_ImportKilled: wherever `slipway import` is killed, what serves
// goes on, and the next import ends it: with the same pods, and no Deployment left paused.
func TestTargets_FirstDeploy_ImportKilled(t *testing.T) {
	t.Parallel()
	h, image := newExistingProject(t)
	const deployment, service = "taking over the fields of Deployment tiny", "taking over the fields of Service tiny"
	rows := []*killedImport{
		{name: "AtOnce", env: "a", after: 100 * time.Millisecond},
		{name: "Recorded", env: "b", text: "as release 0; taking it over"},
		{name: "FieldsTaken", env: "c", text: deployment},
		{name: "PodsLabelled", env: "d", text: deployment, after: 150 * time.Millisecond},
		{name: "BeforeSwitch", env: "e", text: service},
		{name: "Switching", env: "f", text: service, after: 1500 * time.Millisecond},
	}
	for _, row := range rows {
		in := *h
		in.namespace = h.addEnvironment(row.env, fmt.Sprintf(", registry: %q", h.registry))
		in.apply(strings.ReplaceAll(existingObjects, "IMAGE", image))
		row.in = &in
	}
	for _, row := range rows {
		row.killImport()
	}
	for _, row := range rows { // all wait for the lock that the killed one holds
		row.next = h.start("import", "--env", row.env, "--json")
	}
	for _, row := range rows {
		h.scenario(row.name, func() {
			row.in.t = h.t
			row.checkNext()
		})
	}
}

// killImport kills an import on its way. Requests go on until checkNext.
func (k *killedImport) killImport() {
	h := k.in
	h.t.Helper()
	h.kubectlIn("rollout", "status", "deployment/tiny", "--timeout=60s")
	k.pods, k.url = h.podUIDs(), h.serviceURL("tiny")
	k.load = postRequests(k.url, predictBody, 10)
	r := h.start("import", "--env", k.env)
	if !h.eventually(20*time.Second, func() bool { return strings.Contains(r.stderr.String(), k.text) }) {
		h.t.Fatalf("%s: the import did not print %q:\n%s", k.name, k.text, r.kill())
	}
	time.Sleep(k.after)
	if killed := r.kill(); killed.code == 0 {
		h.t.Errorf("%s: the import had ended before it was killed\n%s", k.name, killed)
	}
}

// checkNext checks that the next import ends what the killed one began.
func (k *killedImport) checkNext() {
	h := k.in
	h.t.Helper()
	var got importReport
	r := k.next.wait().wantExit(0)
	h.must(json.Unmarshal([]byte(r.stdout), &got))
	if sent, failures := k.load.stopAndCount(); sent == 0 || len(failures) > 0 {
		h.t.Errorf("%d of %d requests failed: %s", len(failures), sent, strings.Join(failures[:min(5, len(failures))], "\n"))
	}
	if now := h.podUIDs(); !slices.Equal(now, k.pods) {
		h.t.Errorf("pods after the import = %q, want those of before: %q", now, k.pods)
	}
	if paused := h.kubectlIn("get", "deployment", "tiny", "-o", "jsonpath={.spec.paused}"); paused != "" {
		h.t.Errorf("paused = %s, want the Deployment to go on", paused)
	}
	if st := h.status(k.env); st.Release != got.Release || st.Health != "healthy" || len(st.History) != 1 {
		h.t.Errorf("status = %+v, want %s as the only release, healthy", st, got.Release)
	}
	if again := runJSON[importReport](h.project, "import", "--env", k.env); again.Changed || again.Release != got.Release {
		h.t.Errorf("one import more = %+v, want %s, unchanged", again, got.Release)
	}
}
