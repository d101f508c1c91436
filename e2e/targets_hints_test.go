//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestTargets_K8_K9_K11_Hints: what a cluster refuses is named before anything has
// changed, with what to do about exactly that.
func TestTargets_K8_K9_K11_Hints(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, tinyManifests)
	const service = "apiVersion: v1\nkind: Service\n"
	document := func(text string) string { return text + "\n---\n" + service }
	for _, row := range []struct {
		name, text, with string
		want             []string
	}{
		{"K8_ClaimWithoutRights", service,
			document("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"),
			[]string{"PersistentVolumeClaim data", `resources: [persistentvolumeclaims], verbs: [get, create, patch, delete]}`}},
		{"K9_FieldTypo", "readinessProbe: {", "readynessProbe: {", []string{"readynessProbe", "did you mean readinessProbe?"}},
		{"K9_FieldType", "replicas: 2", `replicas: "two"`, []string{".spec.replicas", "kubectl explain deployment"}},
		{"K9_KindVersion", service,
			document("apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: tiny}\nspec: {minAvailable: 1, selector: {matchLabels: {app: tiny}}}"),
			[]string{"no kind PodDisruptionBudget of policy/v1beta1", "as policy/v1"}},
		{"K11_OtherNamespace", "metadata: {name: tiny, labels: {team: ours}}", "metadata: {name: tiny, namespace: default, labels: {team: ours}}",
			[]string{"namespace default", h.namespace, "metadata.namespace"}},
		{"K11_OtherNamespaceOfCompanion", service,
			document("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: tiny, namespace: default}"),
			[]string{"the manifest names namespace default, but the target's namespace is " + h.namespace, "metadata.namespace"}},
	} {
		h.scenario(row.name, func() {
			h.edit("k8s/tiny.yaml", row.text, row.with)
			h.commit(row.name)
			defer h.git("revert", "--no-edit", "HEAD")
			r := h.run().wantRun(1, "failed").wantText(row.want...)
			for _, misleading := range []string{"reachable from here", "kubernetes-role.yaml lists"} {
				if strings.Contains(r.stdout+r.stderr, misleading) {
					h.t.Errorf("%q in the hint of\n%s", misleading, r)
				}
			}
			if st := h.status("prod"); st.Release != "" || len(st.Quarantined) > 0 {
				h.t.Errorf("status = %+v, want nothing deployed, nothing quarantined", st)
			}
		})
	}
}
