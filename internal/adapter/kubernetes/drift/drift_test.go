package drift

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
	"github.com/slipway-cd/slipway/internal/port"
)

// readFile reads an object that an API server returned. deployment-live was applied by
// Slipway and then changed with kubectl: set env, set resources, scale, label, rollout
// restart; deployment-next is the dry run that repairs it.
func readFile(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	o := new(unstructured.Unstructured)
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return o
}

// renamed returns the object with another manager in place of one.
func renamed(o *unstructured.Unstructured, before, after string) *unstructured.Unstructured {
	entries := o.GetManagedFields()
	for i := range entries {
		if entries[i].Manager == before {
			entries[i].Manager = after
		}
	}
	o.SetManagedFields(entries)
	return o
}

const container = `spec.template.spec.containers[name="cat"]`

func texts(found []port.Drift) []string {
	out := []string{}
	for _, d := range found {
		out = append(out, d.String())
	}
	return out
}

func TestCompare(t *testing.T) {
	next := readFile(t, "deployment-next")
	const (
		replicas = "Deployment cat: spec.replicas is 3, recorded 2, by kubectl"
		env      = "Deployment cat: " + container + `.env[name="A"].value is c, recorded b, by kubectl-set`
		added    = "Deployment cat: " + container + `.env[name="DRIFT"] was added: 1, by kubectl-set`
		limit    = "Deployment cat: " + container + `.resources.limits.cpu was added: 1, by kubectl-set`
	)
	for _, c := range []struct {
		name string
		live *unstructured.Unstructured
		want []string
	}{
		{"by kubectl", readFile(t, "deployment-live"), []string{replicas, env, added, limit}},
		{"scaled by an autoscaler", renamed(readFile(t, "deployment-live"), "kubectl", "kube-controller-manager"), []string{env, added, limit}},
		{"number kept for an autoscaler", renamed(readFile(t, "deployment-live"), "kubectl", "slipway-replicas"), []string{env, added, limit}},
		{"set by an operator", renamed(readFile(t, "deployment-live"), "kubectl-set", "vpa-operator"), []string{replicas}},
		{"by an interrupted run", renamed(readFile(t, "deployment-live"), "kubectl-set", "slipway"), []string{replicas,
			"Deployment cat: " + container + `.env[name="A"].value is c, recorded b`}},
		{"as recorded", next.DeepCopy(), []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := Compare(c.live, next)
			if err != nil {
				t.Fatal(err)
			}
			if c.name == "as recorded" {
				found, err = Compare(withoutPeople(c.live), next)
				if err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(c.want, texts(found)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// withoutPeople leaves only what Slipway and the controllers own.
func withoutPeople(o *unstructured.Unstructured) *unstructured.Unstructured {
	var kept []metav1.ManagedFieldsEntry
	for _, entry := range o.GetManagedFields() {
		if entry.Manager == "slipway" || entry.Manager == "kube-controller-manager" {
			kept = append(kept, entry)
		}
	}
	o.SetManagedFields(kept)
	return o
}

func TestCompare_MasksSecrets(t *testing.T) {
	secret := func(value string) *unstructured.Unstructured {
		o := new(unstructured.Unstructured)
		text := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db","managedFields":[{"manager":"slipway","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:PASSWORD":{}}}}]},"data":{"PASSWORD":"` + value + `"}}`
		if err := o.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return o
	}
	found, err := Compare(secret("dHdv"), secret("b25l"))
	want := []port.Drift{{Kind: "Secret", Name: "db", Field: "data.PASSWORD", Recorded: redacted, Live: redacted}}
	if diff := cmp.Diff(want, found); diff != "" || err != nil {
		t.Errorf("error = %v (-want +got):\n%s", err, diff)
	}
}

// TestAdded_IsTaken: what is taken belongs to Slipway alone, so that the next apply removes it;
// the rest stays whose it was.
func TestAdded_IsTaken(t *testing.T) {
	live, next := readFile(t, "deployment-live"), readFile(t, "deployment-next")
	added, err := Added(live, next)
	if err != nil || len(added) != 2 {
		t.Fatalf("Added = %v, %v; want the variable and the limit", added, err)
	}
	patch, err := managedfields.TakePaths(live, added)
	if err != nil {
		t.Fatal(err)
	}
	var operations []struct {
		Op, Path string
		Value    json.RawMessage
	}
	if err := json.Unmarshal(patch, &operations); err != nil || len(operations) != 2 {
		t.Fatalf("patch = %s, %v", patch, err)
	}
	var entries []metav1.ManagedFieldsEntry
	if err := json.Unmarshal(operations[0].Value, &entries); err != nil {
		t.Fatal(err)
	}
	taken := live.DeepCopy()
	taken.SetManagedFields(entries)
	owners, err := managedfields.Owners(taken)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range added {
		for _, by := range owners {
			if has := by.Fields.Has(path); has != by.IsApplied() {
				t.Errorf("%s owns %s: %v", by.Manager, path, has)
			}
		}
	}
	names := map[string]bool{}
	for _, by := range owners {
		names[by.Manager] = true
	}
	if !names["kubectl"] || !names["kubectl-label"] || !names["kubectl-rollout"] || !names["kubectl-set"] {
		t.Errorf("managers = %v: what was not taken is missing", names)
	}
	if string(operations[1].Value) != `"`+live.GetResourceVersion()+`"` {
		t.Errorf("resourceVersion = %s, want %s", operations[1].Value, live.GetResourceVersion())
	}
	// A run that was killed here leaves them to the next one.
	again, err := Added(taken, next)
	if diff := cmp.Diff(len(added), len(again)); diff != "" || err != nil {
		t.Errorf("after they were taken: %v, %v", again, err)
	}
	if patch, err := managedfields.TakePaths(taken, again); patch != nil || err != nil {
		t.Errorf("taken twice: %s, %v", patch, err)
	}
}

func TestAdded_IsRemoved(t *testing.T) {
	live, next := readFile(t, "deployment-live"), readFile(t, "deployment-next")
	added, err := Added(live, next)
	if err != nil {
		t.Fatal(err)
	}
	managedfields.Remove(live.Object, added)
	for _, path := range added {
		if v, ok := managedfields.ValueAt(live.Object, path); ok {
			t.Errorf("%s is still there: %v", path, v)
		}
	}
	containers, _, _ := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
	if env := containers[0].(map[string]any)["env"].([]any); len(env) != 1 {
		t.Errorf("env = %v, want the recorded variable", env)
	}
}

// TestCompare_EmptyValue: the API server leaves out a variable's empty value, which its
// managed fields name nevertheless.
func TestCompare_EmptyValue(t *testing.T) {
	live, next := readFile(t, "deployment-live"), readFile(t, "deployment-next")
	for _, o := range []*unstructured.Unstructured{live, next} {
		containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		for _, v := range containers[0].(map[string]any)["env"].([]any) {
			if variable := v.(map[string]any); variable["name"] == "A" {
				delete(variable, "value")
			}
		}
		if err := unstructured.SetNestedSlice(o.Object, containers, "spec", "template", "spec", "containers"); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Compare(live, next)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found {
		if strings.Contains(d.Field, `"A"`) {
			t.Errorf("%v is no drift", d)
		}
	}
}
