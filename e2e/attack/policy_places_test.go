//go:build linux

package attack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
)

// TestPolicyInCluster: a policy that the namespace's admins wrote limits whoever deploys
// there. One that can't be read, or that this version does not understand, refuses.
func TestPolicyInCluster(t *testing.T) {
	var content atomic.Value // string; "" for a server that refuses
	content.Store("version: 1\napprovals: {prod: {count: 3}}\nsecrets: {push: [NOTHING]}\n")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		text := content.Load().(string)
		switch {
		case strings.HasSuffix(r.URL.Path, "/configmaps"):
			_, _ = w.Write([]byte(`{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":[]}`))
		case !strings.HasSuffix(r.URL.Path, "/api/v1/namespaces/tiny/configmaps/slipway-policy"):
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
		case text == "":
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"configmaps is forbidden","code":403}`))
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{
				"kind": "ConfigMap", "apiVersion": "v1", "metadata": map[string]any{"name": "slipway-policy", "namespace": "tiny"},
				"data": map[string]string{"policy.yaml": text},
			})
		}
	}))
	t.Cleanup(server.Close)
	l := newLab(t)
	l.write("../kubeconfig", fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "%s"}}],
 users: [{name: u, user: {token: t}}], contexts: [{name: c, context: {cluster: c, user: u, namespace: tiny}}]}`, server.URL))
	l.edit("slipway.yaml", "  prod: {on: {push: main}, target: {local: {}}, bake: 300ms}", "  prod: {on: {push: main}, target: {kubernetes: {namespace: tiny}}}")
	l.edit("slipway.yaml", "repository: tiny", "repository: registry.example.com/tiny")
	l.commit("deploy to a cluster")
	k := l.with("KUBECONFIG=" + filepath.Join(l.base, "kubeconfig"))
	k.slipway("policy", "show", "--env", "prod").wantExit(0).wantText("ConfigMap slipway-policy in", "approvals.prod", "at least 3", "secrets.push", "NOTHING")
	k.slipway("plan", "--env", "prod").wantText("a push may not use the variable E2E_TOKEN", "ConfigMap slipway-policy in")
	k.slipway("run", "--env", "prod", "--until", "test").wantExit(1).wantText("a push may not use the variable E2E_TOKEN")
	content.Store("version: 1\nrequire: {virtue: true}\n")
	k.slipway("run", "--env", "prod", "--until", "test").wantNoText("hello").wantText("virtue", "slipway-policy")
	content.Store("")
	k.slipway("run", "--env", "prod", "--until", "test").wantNoText("hello").wantText("forbidden")
}

// TestPolicyInBucket: the policy that lies in the shared state limits every machine that
// uses it.
func TestPolicyInBucket(t *testing.T) {
	bucket := objecttest.Start(t, "s3")
	l := newLab(t)
	store := bucket.Open(t, "tiny")
	put := func(text string) {
		t.Helper()
		l.must(store.Put(t.Context(), "policy.yaml", strings.NewReader(text)))
	}
	put("version: 1\napprovals: {prod: {count: 3}}\nsecrets: {push: [NOTHING]}\n")
	l.write("slipway.yaml", `state: "`+bucket.Location("tiny")+"\"\n"+l.read(filepath.Join(l.repo, "slipway.yaml")))
	l.commit("shared records")
	m := l.with(bucket.Environ...)
	m.slipway("policy", "show").wantExit(0).wantText("policy.yaml", "approvals.prod", "at least 3", "NOTHING")
	m.slipway("run", "--env", "prod", "--until", "test").wantExit(1).wantText("a push may not use the variable E2E_TOKEN", "/policy.yaml")
	local := l.policy("secrets: {push: [E2E_TOKEN, E2E_SIDE]}\n")
	m.with("SLIPWAY_POLICY="+local).slipway("run", "--env", "prod", "--until", "test").wantExit(1).wantText("may not use the variable E2E_TOKEN")
	put("version: 1\nrequire: {virtue: true}\n")
	m.slipway("run", "--env", "prod", "--until", "test").wantNoText("hello").wantText("virtue", "policy.yaml")
}
