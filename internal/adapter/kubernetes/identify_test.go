package kubernetes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// proofCluster is a cluster with the release r-2 of a service: one pod, behind one
// Service.
type proofCluster struct {
	*fakeapi.Server
	t       *testing.T
	digest  delivery.Digest
	request port.DeployRequest
}

const (
	podsPath     = "/api/v1/namespaces/ns/pods/"
	servicesPath = "/api/v1/namespaces/ns/services/"
	slicesPath   = "/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices/"
)

func newProofCluster(t *testing.T) proofCluster {
	c := proofCluster{Server: fakeapi.New(t), t: t, digest: delivery.DigestOf([]byte("image"))}
	c.request = port.DeployRequest{
		Service: "api", Environment: "prod", ID: "r-2",
		Release: delivery.Release{Image: delivery.Image{Repository: "api", Digest: c.digest}},
	}
	c.service("r-2", "slipway.dev/service: api, slipway.dev/release: r-2")
	c.pod("api-1", "r-2", "registry/api@"+string(c.digest))
	c.endpoints("{conditions: {ready: true}, targetRef: {kind: Pod, name: api-1, uid: uid-api-1}}")
	return c
}

func (c proofCluster) service(traffic, selector string) {
	c.Put(servicesPath+"api", fakeapi.Object(c.t, fmt.Sprintf(`{apiVersion: v1, kind: Service, metadata: {name: api,
		labels: {slipway.dev/service: api, slipway.dev/environment: prod}, annotations: {slipway.dev/release: %s, slipway.dev/fence: "1.1"}},
		spec: {selector: {%s}, ports: [{port: 80}]}}`, traffic, selector)))
}

func (c proofCluster) pod(name, release, imageID string) {
	c.Put(podsPath+name, fakeapi.Object(c.t, fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s, uid: uid-%s,
		labels: {slipway.dev/service: api, slipway.dev/release: %s}},
		spec: {containers: [{name: api, image: "registry/api@%s"}, {name: side, image: side}]},
		status: {conditions: [{type: Ready, status: "True"}], containerStatuses: [{name: side, imageID: "side@sha256:1"}, {name: api, imageID: "%s"}]}}`,
		name, name, release, c.digest, imageID)))
}

func (c proofCluster) endpoints(all ...string) {
	c.Put(slicesPath+"api-x", fakeapi.Object(c.t, fmt.Sprintf(`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice,
		metadata: {name: api-x, labels: {kubernetes.io/service-name: api}}, addressType: IPv4, endpoints: [%s]}`, strings.Join(all, ", "))))
}

func (c proofCluster) addresses() addresses {
	c.t.Helper()
	a, err := readAddresses(c.t.Context(), c.Client(), c.request)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func TestIdentifyStable(t *testing.T) {
	const own = "{targetRef: {kind: Pod, name: api-1, uid: uid-api-1}}"
	for _, c := range []struct {
		name   string
		change func(proofCluster)
		want   fault.Kind // "": proved
		says   string
	}{
		{"its pods only", func(proofCluster) {}, "", ""},
		{"old replica still an endpoint", func(c proofCluster) {
			c.pod("api-0", "r-1", "registry/api@"+string(c.digest))
			c.endpoints(own, "{targetRef: {kind: Pod, name: api-0, uid: uid-api-0}}")
		}, fault.Failed, "pod api-0 of r-1"},
		{"old replica that is not ready any more", func(c proofCluster) {
			c.pod("api-0", "r-1", "registry/api@"+string(c.digest))
			c.endpoints(own, "{conditions: {ready: false}, targetRef: {kind: Pod, name: api-0, uid: uid-api-0}}")
		}, "", ""},
		{"another release has the traffic", func(c proofCluster) { c.service("r-1", "slipway.dev/release: r-1") }, fault.Failed, `goes to "r-1"`},
		{"the selector also selects pods of another release", func(c proofCluster) {
			c.pod("api-0", "r-1", "registry/api@"+string(c.digest))
			c.service("r-2", "slipway.dev/service: api")
		}, fault.Failed, "also selects pod api-0 of r-1"},
		{"the selector would also select them after a scale-up", func(c proofCluster) { c.service("r-2", "slipway.dev/service: api") }, fault.Unavailable, "does not name r-2"},
		{"an address that is no pod", func(c proofCluster) { c.endpoints(own, "{addresses: [192.0.2.1]}") }, fault.Unavailable, "192.0.2.1"},
		{"a pod of another service", func(c proofCluster) { c.endpoints(own, "{targetRef: {kind: Pod, name: other}}") }, fault.Unavailable, "Pod other"},
		{"a pod that took the name of one", func(c proofCluster) { c.endpoints("{targetRef: {kind: Pod, name: api-1, uid: another}}") }, fault.Unavailable, "Pod api-1"},
		{"no endpoint", func(c proofCluster) { c.endpoints() }, fault.Unavailable, "no ready endpoint"},
		{"another image", func(c proofCluster) { c.pod("api-1", "r-2", "registry/api@sha256:0123") }, fault.Unavailable, "sha256:0123"},
		{"an image ID of the node's own, pinned", func(c proofCluster) { c.pod("api-1", "r-2", "sha256:0123") }, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := newProofCluster(t)
			c.change(cluster)
			proof, err := identifyStable(t.Context(), cluster.Client(), cluster.request)
			if err == nil && (c.want != "" || proof.Method != port.ProofByPod || !strings.Contains(proof.Detail, "api-1")) {
				t.Errorf("proof = %+v, want an error of kind %q, or a proof by pod api-1", proof, c.want)
			}
			if err != nil && (!fault.Is(err, c.want) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error = %v, want one of kind %q with %q", err, c.want, c.says)
			}
		})
	}
}

// TestIdentifyStable_StateChanges: a scale-up, and a pod that was replaced, are seen.
func TestIdentifyStable_StateChanges(t *testing.T) {
	c := newProofCluster(t)
	state := func() string {
		t.Helper()
		proof, err := identifyStable(t.Context(), c.Client(), c.request)
		if err != nil {
			t.Fatal(err)
		}
		return proof.State
	}
	first := state()
	c.Touch(slicesPath + "api-x")
	if again := state(); again != first {
		t.Errorf("state = %q, then %q, without a change", first, again)
	}
	c.pod("api-2", "r-2", "registry/api@"+string(c.digest))
	c.endpoints("{targetRef: {kind: Pod, name: api-1}}", "{targetRef: {kind: Pod, name: api-2}}")
	if scaled := state(); scaled == first {
		t.Errorf("state = %q before and after a scale-up", scaled)
	}
}

func TestIdentifyStaged(t *testing.T) {
	c := newProofCluster(t)
	c.pod("api-0", "r-1", "registry/api@"+string(c.digest))
	if proof, err := identifyStaged(t.Context(), c.Client(), c.request); err != nil || strings.Contains(proof.State, "api-0") {
		t.Errorf("proof = %+v (%v), want one by api-1 alone", proof, err)
	}
	c.request.ID = "r-3"
	if proof, err := identifyStaged(t.Context(), c.Client(), c.request); !fault.Is(err, fault.Unavailable) {
		t.Errorf("proof = %+v (%v) for a release without pods, want %s", proof, err, fault.Unavailable)
	}
}

func TestCheckIngresses(t *testing.T) {
	const path = "/apis/networking.k8s.io/v1/namespaces/ns/ingresses/api"
	ingress := func(backends string) string {
		return `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: api, labels: {slipway.dev/service: api, slipway.dev/environment: prod}},
			spec: {rules: [{host: api.test, http: {paths: [` + backends + `]}}]}, status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}}`
	}
	for _, c := range []struct {
		name, backends, url string
		ok                  bool
	}{
		{"only its Service", "{path: /, backend: {service: {name: api}}}", "http://api.test", true},
		{"another Service", "{path: /, backend: {service: {name: api}}}, {path: /health, backend: {service: {name: status}}}", "http://api.test", false},
		{"another address", "{path: /health, backend: {service: {name: status}}}", "http://192.0.2.9", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := newProofCluster(t)
			cluster.Put(path, fakeapi.Object(t, ingress(c.backends)))
			err := cluster.addresses().checkIngresses(cluster.request, c.url)
			if (err == nil) != c.ok || err != nil && !fault.Is(err, fault.Unavailable) {
				t.Errorf("error = %v, want one: %v", err, !c.ok)
			}
		})
	}
}

// TestCheckStable: an address that Observe does not return is not the service's.
func TestCheckStable(t *testing.T) {
	c := newProofCluster(t)
	c.Edit(servicesPath+"api", func(svc *unstructured.Unstructured) {
		svc.Object["spec"].(map[string]any)["ports"] = []any{map[string]any{"port": int64(80), "nodePort": int64(30080)}}
		svc.Object["status"] = map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"hostname": "lb.test"}}}}
	})
	c.Edit(podsPath+"api-1", func(pod *unstructured.Unstructured) {
		pod.Object["status"].(map[string]any)["hostIP"] = "10.0.0.7"
	})
	for _, url := range []string{"http://lb.test:80", "http://10.0.0.7:30080", "http://api.ns.svc:80"} {
		if err := c.addresses().checkStable(c.request, url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"http://127.0.0.1:40123", "http://lb.test:81", ""} {
		if err := c.addresses().checkStable(c.request, url); !fault.Is(err, fault.Failed) {
			t.Errorf("%q: error = %v, want %s", url, err, fault.Failed)
		}
	}
}

// TestTarget_Propagation: the nodes get their time once for each state.
func TestTarget_Propagation(t *testing.T) {
	now := time.Unix(1000, 0)
	target := New(Config{Clock: func() time.Time { return now }})
	o := port.DeployRequest{Service: "api", Environment: "prod"}
	for _, c := range []struct {
		state string
		after time.Duration
		want  time.Duration
	}{
		{"a", 0, propagationDelay},
		{"a", time.Second, propagationDelay - time.Second},
		{"b", 0, propagationDelay},
		{"b", propagationDelay, 0},
		{"b", time.Hour, 0},
		{"a", 0, propagationDelay},
	} {
		now = now.Add(c.after)
		if got := target.propagation(o, c.state); got != c.want {
			t.Errorf("propagation of %q after %s = %s, want %s", c.state, c.after, got, c.want)
		}
	}
}
