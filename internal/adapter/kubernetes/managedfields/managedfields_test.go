package managedfields

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
}

// TestKindOf is the definition of who is a person's tool, and who a controller.
func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		want     Kind
		managers []string
	}{
		{Slipway, []string{"slipway", "slipway-replicas"}},
		{Tool, []string{"kubectl", "kubectl-set", "kubectl-client-side-apply", "kubectl-rollout", "kubectl-argo-rollouts", "helm", "Helm", "before-first-apply"}},
		{Controller, []string{
			"kube-controller-manager", "kube-scheduler", "kubelet", "argocd-controller", "argocd-application-controller", "kustomize-controller", "helm-controller",
			"keda-operator", "keda", "vpa-recommender", "vpa-operator", "rollouts", "sidecar-injector", "manager", "cert-manager-cainjector", "linkerd", "OPERATOR",
		}},
		{Unknown, []string{"", "python-requests", "curl", "OpenAPI-Generator", "Terraform", "k9s", "slipways", "managers", "helmfile"}},
	} {
		for _, manager := range c.managers {
			t.Run(manager, func(t *testing.T) {
				if got := KindOf(manager); got != c.want {
					t.Errorf("KindOf(%s) = %d, want %d", manager, got, c.want)
				}
				if got, want := IsTool(manager), c.want == Tool; got != want {
					t.Errorf("IsTool(%s) = %t, want %t", manager, got, want)
				}
			})
		}
	}
}

func TestIsScaler(t *testing.T) {
	for manager, want := range map[string]bool{
		"slipway-replicas": true, "kube-controller-manager": true, "keda-operator": true,
		"slipway": false, "kubectl": false, "kube-scheduler": false, "argocd-controller": false,
	} {
		if got := IsScaler(manager); got != want {
			t.Errorf("IsScaler(%s) = %t, want %t", manager, got, want)
		}
	}
}

func TestIsOnlyScaled(t *testing.T) {
	const slipway, replicas = "{manager: slipway, operation: Apply, ", "apiVersion: apps/v1, fieldsV1: {'f:spec': {'f:replicas': {}}}}"
	for _, c := range []struct {
		name, entries string
		want          bool
	}{
		{"no manager", "", false},
		{"applied", slipway + replicas, false},
		{"kept for an autoscaler", "{manager: slipway-replicas, operation: Apply, " + replicas, true},
		{"scaled by an autoscaler", "{manager: kube-controller-manager, operation: Update, subresource: scale, " + replicas, true},
		{"scaled by kubectl", slipway + replicas + ", {manager: kubectl, operation: Update, subresource: scale, " + replicas, true},
		{"edited", slipway + replicas + ", {manager: kubectl-edit, operation: Update, " + replicas, false},
		{"scaled and applied by others", "{manager: kubectl, operation: Update, subresource: scale, " + replicas + ", {manager: helm, operation: Update, " + replicas, false},
		{"another field is edited", "{manager: kubectl-edit, operation: Update, apiVersion: apps/v1, fieldsV1: {'f:spec': {'f:paused': {}}}}", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			live := object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api, managedFields: ["+strings.ReplaceAll(c.entries, "apiVersion:", "fieldsType: FieldsV1, apiVersion:")+"]}\nspec: {replicas: 2}\n")
			if got := IsOnlyScaled(live); got != c.want {
				t.Errorf("IsOnlyScaled = %t, want %t", got, c.want)
			}
		})
	}
}

// TestOwner_Kind: an entry is judged by what it is of, too.
func TestOwner_Kind(t *testing.T) {
	for _, c := range []struct {
		name       string
		owner      Owner
		want       Kind
		wantEditor bool
	}{
		{"a tool", Owner{Manager: "kubectl-edit"}, Tool, true},
		{"a tool that has scaled", Owner{Manager: "kubectl", subresource: "scale"}, Tool, false},
		{"a script", Owner{Manager: "python-requests"}, Unknown, true},
		{"a program that writes status", Owner{Manager: "metallb-speaker", subresource: "status"}, Controller, false},
		{"a controller", Owner{Manager: "kustomize-controller"}, Controller, false},
		{"Slipway", Owner{Manager: "slipway"}, Slipway, false},
		{"Slipway's status", Owner{Manager: "slipway", subresource: "status"}, Slipway, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.owner.Kind(); got != c.want {
				t.Errorf("Kind = %d, want %d", got, c.want)
			}
			if got := c.owner.IsEditor(); got != c.wantEditor {
				t.Errorf("IsEditor = %t, want %t", got, c.wantEditor)
			}
		})
	}
}

// patched returns the object with the managed fields that a patch gives it.
func patched(t *testing.T, o *unstructured.Unstructured, patch []byte) *unstructured.Unstructured {
	t.Helper()
	var operations []struct{ Value json.RawMessage }
	var entries []metav1.ManagedFieldsEntry
	if err := json.Unmarshal(patch, &operations); err != nil {
		t.Fatalf("patch = %s, %v", patch, err)
	}
	if err := json.Unmarshal(operations[0].Value, &entries); err != nil {
		t.Fatal(err)
	}
	out := o.DeepCopy()
	out.SetManagedFields(entries)
	return out
}

// TestTakeFrom_TakesFromToolsOnly: what stays with its manager is what controllers own,
// and what is left out on purpose.
func TestTakeFrom_TakesFromToolsOnly(t *testing.T) {
	o := object(t, live)
	replicas := fieldpath.MakePathOrDie("spec", "replicas")
	patch, err := TakeFrom(o, IsTool, fieldpath.NewSet(replicas))
	if err != nil || patch == nil {
		t.Fatalf("TakeFrom = %s, %v", patch, err)
	}
	taken := patched(t, o, patch)
	owners, err := Owners(taken)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*fieldpath.Set{}
	for _, by := range owners {
		got[by.Manager+" "+string(by.operation)] = by.Fields
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
	if patch, err := TakeFrom(taken, IsTool, fieldpath.NewSet(replicas)); patch != nil || err != nil {
		t.Errorf("second TakeFrom = %s, %v, want nothing left to take", patch, err)
	}
	if patch, err := TakeFrom(taken, func(m string) bool { return m == "kubectl-edit" }, fieldpath.NewSet()); patch != nil || err != nil {
		t.Errorf("TakeFrom kubectl-edit = %s, %v, want nothing left to take", patch, err)
	}
}

// TestTakeFrom_LeavesOtherVersions: a path of another version may mean something else.
func TestTakeFrom_LeavesOtherVersions(t *testing.T) {
	o := object(t, strings.ReplaceAll(live, "operation: Update, apiVersion: apps/v1", "operation: Update, apiVersion: apps/v1beta1"))
	if patch, err := TakeFrom(o, IsTool, fieldpath.NewSet()); patch != nil || err != nil {
		t.Errorf("TakeFrom = %s, %v, want nothing that can be taken", patch, err)
	}
}

// TestTakeFrom_RefusesAChangedObject: the patch carries the version that it is made for.
func TestTakeFrom_RefusesAChangedObject(t *testing.T) {
	patch, err := TakeFrom(object(t, live), IsTool, fieldpath.NewSet())
	if err != nil || !json.Valid(patch) || !strings.Contains(string(patch), `"path":"/metadata/resourceVersion","value":"7"`) {
		t.Errorf("TakeFrom = %s, %v, want it bound to version 7", patch, err)
	}
}
