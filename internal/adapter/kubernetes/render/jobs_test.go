package render_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// jobYAML is a Job of the service.
func jobYAML(name, annotations, args string) string {
	return fmt.Sprintf("apiVersion: batch/v1\nkind: Job\nmetadata: {name: %s, annotations: {%s}}\nspec: {ttlSecondsAfterFinished: 0, template: {spec: {containers: [{name: c, image: retail-api, args: [%s], envFrom: [{configMapRef: {name: a}}]}]}}}\n", name, annotations, args)
}

// TestRender_JobNames: a Job has another name exactly if it does something else.
func TestRender_JobNames(t *testing.T) {
	config := "---\n" + configMapHead + "data: {A: \"1\"}\n---\n"
	name := func(t *testing.T, text string) string {
		t.Helper()
		m := withoutModel(t, "")
		m.Paths, m.Dir = []string{"k8s"}, writeCheckout(t, map[string]string{"k8s/a.yaml": deploymentYAML("") + text})
		for _, o := range mustParse(t, mustRender(t, m)) {
			if o.GetKind() == "Job" {
				return o.GetName()
			}
		}
		t.Fatal("Job not found")
		return ""
	}
	base := name(t, config+jobYAML("migrate", "", "up"))
	if !strings.HasPrefix(base, "migrate-") || len(base) != len("migrate-")+10 {
		t.Errorf("the Job is named %q, want migrate-HASH", base)
	}
	for _, c := range []struct {
		name, text string
		same       bool
	}{
		{"as it is", config + jobYAML("migrate", "", "up"), true},
		{"annotation", config + jobYAML("migrate", "a: b", "up"), true},
		{"argument", config + jobYAML("migrate", "", "down"), false},
		{"value of its ConfigMap", strings.Replace(config, `"1"`, `"2"`, 1) + jobYAML("migrate", "", "up"), false},
		{"value of another ConfigMap", config + strings.NewReplacer("name: a", "name: b").Replace(configMapHead) + "data: {A: \"3\"}\n---\n" + jobYAML("migrate", "", "up"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := name(t, c.text); (got == base) != c.same {
				t.Errorf("the Job is named %q, before %q, want the same: %t", got, base, c.same)
			}
		})
	}
	if got := name(t, config+jobYAML("migrate", `slipway.dev/keep-name: "true"`, "up")); got != "migrate" {
		t.Errorf("a Job that keeps its name is named %q", got)
	}
	if got := name(t, config+jobYAML(strings.Repeat("m", 63), "", "up")); len(got) != 63 {
		t.Errorf("the name of a Job has %d characters, want at most 63", len(got))
	}
}

// TestRender_HelmHooks: hooks that run before the pods become Jobs, in the order of
// their weights and before the ordinary ones.
func TestRender_HelmHooks(t *testing.T) {
	hook := func(name, events, weight string) string {
		return "---\n" + jobYAML(name, fmt.Sprintf("helm.sh/hook: %q, helm.sh/hook-weight: %q, helm.sh/hook-delete-policy: hook-succeeded", events, weight), name)
	}
	m := withoutModel(t, "")
	m.Paths, m.Dir = []string{"c"}, writeCheckout(t, map[string]string{
		"c/Chart.yaml":         chartYAML,
		"c/templates/api.yaml": deploymentYAML(""),
		"c/templates/b.yaml":   hook("seed", "pre-install", "5") + hook("migrate", "pre-install,pre-upgrade", "-5") + hook("back", "pre-rollback", "0") + hook("check", "test", ""),
		"c/templates/c.yaml":   strings.Replace(configMapHead, "name: a", "name: a, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"-9\"}", 1) + "data: {A: b}\n",
	})
	type job struct{ Name, Hook, OnRollback string }
	var got []job
	for _, o := range mustParse(t, mustRender(t, m)) {
		annotations := o.GetAnnotations()
		for key := range annotations {
			if strings.HasPrefix(key, "helm.sh/") {
				t.Errorf("%s has the annotation %s", o.GetName(), key)
			}
		}
		if o.GetKind() == "Job" {
			name, _, _ := strings.Cut(o.GetName(), "-")
			got = append(got, job{name, annotations[labels.HelmHook], annotations[labels.OnRollback]})
		}
	}
	want := []job{{"migrate", "pre-install,pre-upgrade", ""}, {"back", "pre-rollback", "run"}, {"seed", "pre-install", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Jobs (-want +got):\n%s", diff)
	}
}

// TestStamp_Jobs: no Service selects the pods of a Job, whatever their labels.
func TestStamp_Jobs(t *testing.T) {
	m := withoutModel(t, "")
	cron := "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: retail-api}]}}}}}\n"
	m.Paths, m.Dir = []string{"k8s"}, writeCheckout(t, map[string]string{"k8s/a.yaml": deploymentYAML("") + "---\n" + jobYAML("migrate", "", "up") + cron})
	stamp := render.Stamp{Service: "retail-api", Environment: "prod", Release: "r-1", Image: m.Image, PreStopSeconds: 3}
	for _, o := range stamp.Apply(mustParse(t, mustRender(t, m))) {
		want := delivery.ReleaseID("")
		if o.GetKind() == "Deployment" {
			want = "r-1"
		}
		if got := delivery.ReleaseID(render.TemplateLabels(o)[labels.Release]); got != want {
			t.Errorf("pods of %s %s carry release %q, want %q", o.GetKind(), o.GetName(), got, want)
		}
	}
}

// TestRender_NotesPorts: a port that leads nowhere is noted.
func TestRender_NotesPorts(t *testing.T) {
	deployment := func(ports string) string {
		text := strings.Replace(deploymentYAML("        ports: ["+ports+"]\n"), "  template:\n", "  template:\n    metadata: {labels: {app: api}}\n", 1)
		return text + "---\n"
	}
	for _, c := range []struct{ name, ports, service, want string }{
		{"by its name", "{name: web, containerPort: 8000}", "{port: 80, targetPort: web}", ""},
		{"by its number", "{name: web, containerPort: 8000}", "{port: 80, targetPort: 8000}", ""},
		{"wrong name", "{name: web, containerPort: 8000}", "{port: 80, targetPort: http}", "Service api leads to port http, which no container of Deployment api declares (declared: web, 8000)"},
		{"wrong number", "{containerPort: 8000}", "{port: 80, targetPort: 9999}", "Service api leads to port 9999, which no container of Deployment api declares (declared: 8000)"},
		{"no target", "{containerPort: 8000}", "{port: 80}", "Service api leads to port 80, which no container of Deployment api declares (declared: 8000)"},
		{"no port declared", "", "{port: 80, targetPort: 8000}", ""},
		{"a name, and no port declared", "", "{port: 80, targetPort: web}", "Service api leads to port web, which no container of Deployment api declares (declared: )"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := withoutModel(t, "")
			m.Paths, m.Dir = []string{"k8s"}, writeCheckout(t, map[string]string{
				"k8s/a.yaml": deployment(c.ports) + "apiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec: {selector: {app: api}, ports: [" + c.service + "]}\n",
			})
			if got := strings.Join(mustRender(t, m).Notes, "\n"); got != c.want {
				t.Errorf("notes = %q, want %q", got, c.want)
			}
		})
	}
}
