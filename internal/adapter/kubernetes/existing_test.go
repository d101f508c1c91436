package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	deploymentsPath = "/apis/apps/v1/namespaces/ns/deployments/"
	replicaSetsPath = "/apis/apps/v1/namespaces/ns/replicasets/"
)

// existingCluster is a namespace where kubectl has applied a Deployment and a Service.
type existingCluster struct {
	*fakeapi.Server
	t *testing.T
}

func newExistingCluster(t *testing.T) existingCluster {
	c := existingCluster{fakeapi.New(t), t}
	managed := func(version, fields string) string {
		return fmt.Sprintf("managedFields: [{manager: kubectl-client-side-apply, operation: Update, apiVersion: %s, fieldsType: FieldsV1, fieldsV1: %s}]", version, fields)
	}
	c.put(servicesPath+"api", `{apiVersion: v1, kind: Service, metadata: {name: api, `+managed("v1", `{"f:spec": {"f:selector": {}, "f:ports": {}}}`)+`},
		spec: {clusterIP: 10.0.0.1, selector: {app: api}, ports: [{port: 80, targetPort: http}]}}`)
	c.put(deploymentsPath+"api", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, uid: d, generation: 1, `+
		managed("apps/v1", `{"f:spec": {"f:selector": {}, "f:template": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {".": {}, "f:name": {}, "f:image": {}, "f:ports": {}}}}}}}`)+`},
		spec: {replicas: 3, selector: {matchLabels: {app: api}}, template: {metadata: {labels: {app: api}}, spec: {dnsPolicy: ClusterFirst,
		containers: [{name: main, image: "example.com/api:v1", ports: [{name: http, containerPort: 8080}]}]}}}, status: {observedGeneration: 1}}`)
	c.put(replicaSetsPath+"api-1", `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: api-1, uid: r, ownerReferences: [{kind: Deployment, name: api, uid: d, controller: true}]},
		spec: {replicas: 3}, status: {replicas: 3}}`)
	c.pod("api-1-a", "ReplicaSet", "example.com/api@"+string(delivery.DigestOf([]byte("one"))))
	return c
}

func (c existingCluster) put(path, text string) { c.Put(path, fakeapi.Object(c.t, text)) }

func (c existingCluster) pod(name, owner, imageID string) {
	c.put(podsPath+name, fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s, uid: uid-%[1]s, labels: {app: api}, ownerReferences: [{kind: %s, name: api-1, uid: %s, controller: true}]},
		spec: {containers: [{name: main, image: "example.com/api:v1", ports: [{name: http, containerPort: 8080}], readinessProbe: {httpGet: {path: /up, port: http}}}]},
		status: {conditions: [{type: Ready, status: "True"}], containerStatuses: [{name: main, imageID: %q}]}}`, name, owner, map[bool]string{true: "r", false: "other"}[owner == "ReplicaSet"], imageID))
}

func (c existingCluster) find() (port.Existing, bool, error) {
	c.t.Helper()
	target := New(Config{})
	target.conn = c.Client()
	c.t.Cleanup(func() { _ = target.Close() })
	return target.FindExisting(c.t.Context(), existingRequest())
}

// existingRequest is for the first release.
func existingRequest() port.DeployRequest {
	img := delivery.Image{Repository: "example.com/new/api", Digest: delivery.DigestOf([]byte("new"))}
	objects := `[{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"api"},"spec":{"selector":{"matchLabels":{"app":"api"}},"template":{"metadata":{"labels":{"app":"api"}},"spec":{"containers":[{"name":"api","image":"` + img.String() + `"}]}}}},
		{"apiVersion":"v1","kind":"Service","metadata":{"name":"api"},"spec":{"selector":{"app":"api"},"ports":[{"port":80}]}}]`
	return port.DeployRequest{Service: "api", Environment: "prod", ID: "r-1", Release: delivery.Release{
		Service: "api", Image: img, Objects: objects, Manifests: port.Rendered{Objects: objects}.Digest(),
	}}
}

// TestFindExisting_AsRelease: the image by the digest of its pods, the objects as people
// have set them, with the live number of replicas.
func TestFindExisting_AsRelease(t *testing.T) {
	got, ok, err := newExistingCluster(t).find()
	if err != nil || !ok {
		t.Fatalf("FindExisting = %t, %v", ok, err)
	}
	rel := got.Release
	if want := (delivery.Image{Repository: "example.com/api", Digest: delivery.DigestOf([]byte("one"))}); rel.Image != want || rel.Workload.Health != "/up" || got.Replicas != 1 || len(got.Objects) != 2 {
		t.Errorf("existing = %+v, want image %s, checked at /up, of two objects", got, want)
	}
	for _, want := range []string{`"image":"` + rel.Image.String() + `"`, `"replicas":3`, `"slipway.dev/service":"api"`, `"app.kubernetes.io/managed-by":"slipway"`} {
		if !strings.Contains(rel.Objects, want) {
			t.Errorf("%s not found in the objects: %s", want, rel.Objects)
		}
	}
	for _, not := range []string{"clusterIP", "dnsPolicy", "managedFields", "status", "slipway.dev/release"} {
		if strings.Contains(rel.Objects, not) {
			t.Errorf("the objects contain %s: %s", not, rel.Objects)
		}
	}
}

func TestFindExisting_RefusedOrNothing(t *testing.T) {
	other := "example.com/api@" + string(delivery.DigestOf([]byte("two")))
	for _, c := range []struct {
		name    string
		change  func(existingCluster)
		refused string // empty: nothing is found
	}{
		{"pods of a StatefulSet", func(c existingCluster) { c.pod("db-0", "StatefulSet", other) }, "StatefulSet api-1, not to a Deployment"},
		{"two versions", func(c existingCluster) { c.pod("api-1-b", "ReplicaSet", other) }, "its pods run two versions of example.com/api"},
		{"an image that no registry has", func(c existingCluster) { c.pod("api-1-a", "ReplicaSet", "sha256:0123") }, "no registry has it"},
		{"a rollout", func(c existingCluster) {
			c.put(replicaSetsPath+"api-2", `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: api-2, uid: r2, ownerReferences: [{kind: Deployment, name: api, uid: d, controller: true}]}, status: {replicas: 1}}`)
		}, "is being rolled out by someone else"},
		{"a controller's objects", func(c existingCluster) {
			c.put(servicesPath+"api", `{apiVersion: v1, kind: Service, metadata: {name: api, managedFields: [{manager: argocd-controller, operation: Apply, apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:selector": {}}}}]},
				spec: {selector: {app: api}, ports: [{port: 80, targetPort: http}]}}`)
		}, "is managed by argocd-controller"},
		{"a Service that leads nowhere", func(c existingCluster) {
			c.put(servicesPath+"api", "{apiVersion: v1, kind: Service, metadata: {name: api}, spec: {selector: {app: else}, ports: [{port: 80}]}}")
		}, ""},
		{"Slipway's own Service", func(c existingCluster) {
			c.put(servicesPath+"api", "{apiVersion: v1, kind: Service, metadata: {name: api, labels: {slipway.dev/service: another}}, spec: {selector: {app: api}, ports: [{port: 80}]}}")
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := newExistingCluster(t)
			c.change(cluster)
			_, ok, err := cluster.find()
			if c.refused == "" && (ok || err != nil) {
				t.Errorf("FindExisting = %t, %v, want nothing", ok, err)
			}
			if c.refused != "" && (!fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), c.refused)) {
				t.Errorf("FindExisting = %t, %v, want %q", ok, err, c.refused)
			}
		})
	}
}

// TestFindExisting_AfterInterruptedAdoption: fields that were taken over already are no
// reason to refuse what serves.
func TestFindExisting_AfterInterruptedAdoption(t *testing.T) {
	c := newExistingCluster(t)
	c.Edit(deploymentsPath+"api", func(o *unstructured.Unstructured) {
		fields := o.GetManagedFields()
		fields[0].Manager, fields[0].Operation = "slipway", metav1.ManagedFieldsOperationApply
		o.SetManagedFields(fields)
	})
	target := New(Config{})
	target.conn = c.Client()
	set, err := target.objects(t.Context(), target.conn, existingRequest())
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := target.existing(target.conn, existingRequest(), set).find(t.Context()); !ok || err != nil {
		t.Errorf("find = %t, %v, want what serves", ok, err)
	}
}

func TestRepositoryOf(t *testing.T) {
	for ref, want := range map[string]string{
		"nginx:1.25": "docker.io/library/nginx", "team/api@sha256:0": "docker.io/team/api", "example.com:5000/api:v1": "example.com:5000/api",
		"127.0.0.1:5000/mlops/api:v1@sha256:0": "mlops/api", "localhost/api": "localhost/api",
	} {
		if got := repositoryOf(ref, "127.0.0.1:5000"); got != want {
			t.Errorf("repositoryOf(%s) = %s, want %s", ref, got, want)
		}
	}
}
