package render_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// withoutModel returns a release without a model, from one file.
func withoutModel(t testing.TB, text string) port.Manifests {
	m := manifests(writeCheckout(t, map[string]string{"a.yaml": text}), "a.yaml")
	m.Model, m.ModelImage = nil, delivery.Image{}
	return m
}

func TestRender_MatchesRepository(t *testing.T) {
	for _, c := range []struct {
		configured, file string
		same             bool
	}{
		{"retail-api", "retail-api", true},
		{"retail-api", "retail-api:v1@sha256:00", true},
		{"retail-api", "retail-api-2", false},
		{"retail-api", "team/retail-api", false},
		{"retail-api", "localhost:5000/retail-api", false},
		{"retail-api", "docker.io/library/retail-api", false},
		{"Registry.example.com:5000/a/b", "registry.EXAMPLE.com:5000/a/b:1", true},
		{"registry.example.com:5000/a", "registry.example.com/a", false},
		{"registry.example.com/a", "registry.example.com/A", false},
		{"localhost/a", "LOCALHOST/a:1", true},
		{"docker.io/library/redis", "redis:7", true},
		{"docker.io/redis", "index.docker.io/library/redis", true},
		{"docker.io/team/a", "team/a:1", true},
		{"docker.io/team/a", "quay.io/team/a:1", false},
	} {
		t.Run(c.configured+" "+c.file, func(t *testing.T) {
			m := withoutModel(t, strings.Replace(deploymentYAML(""), "retail-api", c.file, 1))
			m.Image.Repository = c.configured
			got, err := render.Render(t.Context(), m)
			if (err == nil) != c.same || c.same && !strings.Contains(got.Objects, `"`+m.Image.String()+`"`) {
				t.Errorf("Render: %v, want the image replaced: %v", err, c.same)
			}
		})
	}
}

func TestRender_PinsEveryWorkloadKind(t *testing.T) {
	const spec = "{containers: [{name: c, image: 'retail-api:1'}]}"
	for kind, version := range map[string]string{
		"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1", "Job": "batch/v1",
		"CronJob": "batch/v1", "Pod": "v1", "ReplicationController": "v1",
	} {
		body := "spec: {template: {spec: " + spec + "}}"
		switch kind {
		case "Pod":
			body = "spec: " + spec
		case "CronJob":
			body = "spec: {jobTemplate: {spec: {template: {spec: " + spec + "}}}}"
		}
		m := withoutModel(t, "apiVersion: "+version+"\nkind: "+kind+"\nmetadata: {name: a}\n"+body)
		m.Workload.Replicas = 3
		o := mustParse(t, mustRender(t, m))[0]
		if !render.RunsImage(o, m.Image) {
			t.Errorf("RunsImage(%s) = false, want true", kind)
		}
		n, has, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		if want := slices.Contains([]string{"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"}, kind); has != want || want && n != 3 {
			t.Errorf("%s has replicas %d (set: %v), want 3 (set: %v)", kind, n, has, want)
		}
	}
	other := "apiVersion: batch.volcano.sh/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: " + spec + "}}"
	if _, err := render.Render(t.Context(), withoutModel(t, other)); err == nil {
		t.Error("Render pinned a Job of another API group")
	}
}

// The objects are given in reverse order.
func TestRender_SortsForApply(t *testing.T) {
	want := []string{
		"v1/Namespace", "apiextensions.k8s.io/v1/CustomResourceDefinition", "networking.k8s.io/v1/NetworkPolicy", "v1/ServiceAccount", "rbac.authorization.k8s.io/v1/Role",
		"rbac.authorization.k8s.io/v1/RoleBinding", "v1/ConfigMap", "storage.k8s.io/v1/StorageClass", "v1/PersistentVolumeClaim", "v1/Service", "apps/v1/Deployment", "batch/v1/Job",
		"policy/v1/PodDisruptionBudget", "networking.k8s.io/v1/Ingress", "example.com/v1/Price", "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration",
	}
	var text []string
	for _, w := range slices.Backward(want) {
		at := strings.LastIndexByte(w, '/')
		one := "apiVersion: " + w[:at] + "\nkind: " + w[at+1:] + "\nmetadata: {name: a}\n"
		if w == "apps/v1/Deployment" {
			one = deploymentYAML("")
		}
		text = append(text, one)
	}
	var got []string
	for _, o := range mustParse(t, mustRender(t, withoutModel(t, strings.Join(text, "---\n")))) {
		got = append(got, o.GetAPIVersion()+"/"+o.GetKind())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// What changes the name of a ConfigMap or Secret, and what does not.
func TestRender_HashesConfigNames(t *testing.T) {
	long := strings.Repeat("a", 245) + ".bcdefgh"
	name := func(text string) string {
		m := withoutModel(t, deploymentYAML("---\n"+text))
		r := mustRender(t, m)
		if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "not referenced by") {
			t.Errorf("Notes = %v, want one about the missing reference", r.Notes)
		}
		return mustParse(t, r)[0].GetName()
	}
	base := name(configMapHead + "data: {a: b}")
	for text, same := range map[string]bool{
		configMapHead + "data: {a: b}\nbinaryData: {}":                                 true,
		strings.Replace(configMapHead, "a}", "a, labels: {x: z}}", 1) + "data: {a: b}": true,
		configMapHead + "data: {a: c}":                                                 false,
		configMapHead + "data: {a: b}\nbinaryData: {c: aGk=}":                          false,
		secretHead + "data: {a: aGk=}":                                                 false,
		strings.Replace(configMapHead, "a}", "b}", 1) + "data: {a: b}":                 false,
	} {
		if got := name(text); (got == base) != same {
			t.Errorf("%s is named %s, want the name %s: %v", text, got, base, same)
		}
	}
	if name(secretHead+"data: {a: aGk=}") != name(secretHead+"stringData: {a: hi}") {
		t.Error("a Secret with stringData has another name than one with data")
	}
	if got := name(strings.Replace(configMapHead, "name: a", "name: "+long, 1)); len(got) > 253 || !strings.HasPrefix(got, long[:242]) {
		t.Errorf("the name has %d characters, want at most 253: %s", len(got), got)
	}
}

func TestRender_ReferencesStayInNamespace(t *testing.T) {
	m := withoutModel(t, deploymentYAML("        envFrom: [{configMapRef: {name: a}}]\n---\n"+strings.Replace(configMapHead, "a}", "a, namespace: other}", 1)))
	if got := mustRender(t, m).Objects; !strings.Contains(got, `"configMapRef":{"name":"a"}`) {
		t.Errorf("a reference to another namespace was rewritten: %s", got)
	}
}
