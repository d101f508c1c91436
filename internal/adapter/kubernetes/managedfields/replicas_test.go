package managedfields

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestReplicasManager(t *testing.T) {
	const replicas, image = `{"f:spec":{"f:replicas":{}}}`, `{"f:spec":{"f:template":{}}}`
	type entry struct{ manager, fields string }
	for _, c := range []struct {
		name    string
		entries []entry
		want    string
	}{
		{"none", nil, ""},
		{"other fields", []entry{{"slipway", image}}, ""},
		{"ours", []entry{{"slipway", replicas}, {"kubelet", image}}, "slipway"},
		{"ours and another's", []entry{{"slipway", replicas}, {"slipway-replicas", replicas}}, ""},
		{"an autoscaler's", []entry{{"slipway", image}, {"kube-controller-manager", replicas}}, "kube-controller-manager"},
		{"not readable", []entry{{"slipway", "{"}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &unstructured.Unstructured{Object: map[string]any{}}
			var entries []metav1.ManagedFieldsEntry
			for _, e := range c.entries {
				entries = append(entries, metav1.ManagedFieldsEntry{Manager: e.manager, FieldsV1: metav1.NewFieldsV1(e.fields)})
			}
			d.SetManagedFields(entries)
			if got := ReplicasManager(d); got != c.want {
				t.Errorf("ReplicasManager = %q, want %q", got, c.want)
			}
		})
	}
}
