package managedfields

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"
)

// live is a Deployment as kubectl applied, edited and scaled it, an autoscaler scaled it,
// and the API server completed it.
const live = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
  resourceVersion: "7"
  labels: {team: ours}
  annotations: {deployment.kubernetes.io/revision: "1"}
  managedFields:
  - {manager: kubectl-client-side-apply, operation: Update, apiVersion: apps/v1, fieldsType: FieldsV1, fieldsV1: {"f:metadata": {"f:labels": {".": {}, "f:team": {}}}, "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"api\"}": {".": {}, "f:name": {}, "f:image": {}, "f:ports": {".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}}}}
  - {manager: kubectl-edit, operation: Update, apiVersion: apps/v1, fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"api\"}": {"f:env": {".": {}, "k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}}}}}
  - {manager: kube-controller-manager, operation: Update, apiVersion: apps/v1, subresource: status, fieldsType: FieldsV1, fieldsV1: {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}, "f:status": {"f:replicas": {}}}}
  - {manager: injector, operation: Apply, apiVersion: apps/v1, fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"side\"}": {".": {}, "f:name": {}, "f:image": {}}}}}}}}
spec:
  replicas: 2
  progressDeadlineSeconds: 600
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      dnsPolicy: ClusterFirst
      containers:
      - {name: side, image: mesh}
      - {name: api, image: "api:1", imagePullPolicy: IfNotPresent, env: [{name: A, value: "1"}], ports: [{containerPort: 80, protocol: TCP}]}
status: {replicas: 2}
`

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := new(unstructured.Unstructured)
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestExtract_KeepsWhatPeopleSet: neither defaults nor status, nor what a controller
// added; items of lists in their order, with the fields by which they are found.
func TestExtract_KeepsWhatPeopleSet(t *testing.T) {
	o := object(t, live)
	before := o.DeepCopy()
	got, err := Extract(o, IsTool)
	if err != nil {
		t.Fatal(err)
	}
	want := object(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: {team: ours}}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    spec:
      containers:
      - {name: api, image: "api:1", env: [{name: A, value: "1"}], ports: [{containerPort: 80, protocol: TCP}]}
`)
	if diff := cmp.Diff(want.Object, got.Object); diff != "" {
		t.Errorf("extracted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before.Object, o.Object); diff != "" {
		t.Errorf("Extract changed the object (-want +got):\n%s", diff)
	}
}

// TestExtract_WithoutManagers: an object from before managers were noted is taken whole.
func TestExtract_WithoutManagers(t *testing.T) {
	o := object(t, live)
	o.SetManagedFields(nil)
	got, err := Extract(o, IsTool)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := got.Object["status"]; ok || got.GetResourceVersion() != "" || got.GetLabels()["team"] != "ours" {
		t.Errorf("extracted = %v, want the object without status and what the server sets", got.Object)
	}
	if n, _, _ := unstructured.NestedInt64(got.Object, "spec", "progressDeadlineSeconds"); n != 600 {
		t.Errorf("progressDeadlineSeconds = %d, want 600: whose it is is not known", n)
	}
}

func TestManagers(t *testing.T) {
	o := object(t, live)
	if diff := cmp.Diff([]string{"kubectl-client-side-apply", "kubectl-edit"}, Tools(o)); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"injector"}, Others(o)); diff != "" {
		t.Errorf("others (-want +got):\n%s", diff)
	}
	for manager, want := range map[string]bool{
		"kubectl": true, "kubectl-set": true, "helm": true, "Helm": true, "before-first-apply": true,
		"kube-controller-manager": false, "argocd-controller": false, "kustomize-controller": false, "helm-controller": false, "keda-operator": false, "slipway": false,
	} {
		if got := IsTool(manager); got != want {
			t.Errorf("IsTool(%s) = %t, want %t", manager, got, want)
		}
	}
}

// TestTransfer_TakesFromToolsOnly: what stays with its manager is what controllers own,
// and what is left out on purpose.
func TestTransfer_TakesFromToolsOnly(t *testing.T) {
	o := object(t, live)
	replicas := fieldpath.MakePathOrDie("spec", "replicas")
	entries, ok, err := Transfer(o, IsTool, "slipway", fieldpath.NewSet(replicas))
	if err != nil || !ok {
		t.Fatalf("Transfer = %t, %v", ok, err)
	}
	got := map[string]*fieldpath.Set{}
	for _, e := range entries {
		set, err := setOf(e)
		if err != nil {
			t.Fatal(err)
		}
		got[e.Manager+" "+string(e.Operation)] = set
	}
	ours := got["slipway Apply"]
	if ours == nil || !ours.Has(fieldpath.MakePathOrDie("metadata", "labels", "team")) || ours.Has(replicas) {
		t.Errorf("ours = %v, want what both tools set, without replicas", ours)
	}
	if !ours.Has(fieldpath.MakePathOrDie("spec", "template", "spec", "containers", fieldpath.KeyByFields("name", "api"), "env", fieldpath.KeyByFields("name", "A"), "value")) {
		t.Errorf("ours = %v, want what was edited, too", ours)
	}
	if left := got["kubectl-client-side-apply Update"]; left == nil || !left.Equals(fieldpath.NewSet(replicas)) {
		t.Errorf("left to kubectl = %v, want replicas only", left)
	}
	if got["kube-controller-manager Update"] == nil || got["injector Apply"] == nil || got["kubectl-edit Update"] != nil {
		t.Errorf("managers = %v, want controllers untouched, and kubectl-edit gone", got)
	}
	o.SetManagedFields(entries)
	if _, ok, err := Transfer(o, func(m string) bool { return m == "kubectl-edit" }, "slipway", fieldpath.NewSet()); ok || err != nil {
		t.Errorf("second Transfer = %t, %v, want nothing left to take", ok, err)
	}
}

// TestPatch_RefusesAChangedObject: the patch carries the version that it is made for.
func TestPatch_RefusesAChangedObject(t *testing.T) {
	patch, err := Patch(object(t, live), nil)
	if err != nil || !json.Valid(patch) || !strings.Contains(string(patch), `"path":"/metadata/resourceVersion","value":"7"`) {
		t.Errorf("Patch = %s, %v, want it bound to version 7", patch, err)
	}
}
