package drift

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestCovers(t *testing.T) {
	next := withoutPeople(readFile(t, "deployment-next"))
	set := func(value any, fields ...string) func(*unstructured.Unstructured) {
		return func(o *unstructured.Unstructured) {
			if err := unstructured.SetNestedField(o.Object, value, fields...); err != nil {
				t.Fatal(err)
			}
		}
	}
	container := func(edit func(map[string]any)) func(*unstructured.Unstructured) {
		return func(o *unstructured.Unstructured) {
			all, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
			edit(all[0].(map[string]any))
			set(all, "spec", "template", "spec", "containers")(o)
		}
	}
	for _, c := range []struct {
		name   string
		change func(recorded *unstructured.Unstructured)
		want   bool
	}{
		{"same", func(*unstructured.Unstructured) {}, true},
		{"fewer fields", container(func(m map[string]any) { delete(m, "resources") }), true},
		{"another number", set(int64(5), "spec", "replicas"), false},
		{"a variable that is not live", container(func(m map[string]any) {
			m["env"] = append(m["env"].([]any), map[string]any{"name": "MORE", "value": "1"})
		}), false},
		{"another name", container(func(m map[string]any) { m["name"] = "dog" }), false},
		{"a quantity in other words", container(func(m map[string]any) {
			m["resources"] = map[string]any{"requests": map[string]any{"cpu": "0.5"}}
		}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			recorded := next.DeepCopy()
			recorded.SetManagedFields(nil)
			c.change(recorded)
			if got := Covers(next, recorded); got != c.want {
				t.Errorf("Covers = %v, want %v", got, c.want)
			}
		})
	}
	if Covers(readFile(t, "deployment-live"), next) {
		t.Error("an object with fields of kubectl is covered")
	}
}
