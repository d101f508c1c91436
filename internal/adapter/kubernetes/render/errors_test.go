package render_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	configMapHead = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	secretHead    = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
	chartYAML     = "apiVersion: v2\nname: c\nversion: 0.1.0\n"
	secretValue   = "planted-hunter2"
)

// deploymentYAML is a Deployment of the service. more is added to its container, and
// must be indented by 8.
func deploymentYAML(more string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n  template:\n    spec:\n      containers:\n      - name: c\n        image: retail-api\n" + more
}

func manyConfigMaps(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a%d}\n---\n", i)
	}
	return text.String()
}

// aliasBomb expands to a billion entries.
func aliasBomb() string {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		one := "*a" + string(rune('0'+i)) + ", "
		text += "a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [" + strings.TrimSuffix(strings.Repeat(one, 10), ", ") + "]\n"
	}
	return text
}

func TestRender_RejectsInvalidSources(t *testing.T) {
	cases := map[string]struct {
		paths             string // comma separated; default: k8s
		files             map[string]string
		change            func(*port.Manifests)
		wantErr, wantHint string
	}{
		"missing":           {"k8s/b.yaml", map[string]string{"k8s/a.yaml": configMapHead}, nil, "k8s/b.yaml not found in the checkout", "committed"},
		"leaves":            {"../k8s", nil, nil, `"../k8s" is outside the checkout`, "inside"},
		"absolute":          {"/etc/passwd", nil, nil, "is outside the checkout", "inside"},
		"empty path":        {" ", nil, func(m *port.Manifests) { m.Paths = []string{""} }, "is outside the checkout", ""},
		"no manifest":       {"k8s/a.txt", map[string]string{"k8s/a.txt": configMapHead}, nil, "k8s/a.txt is not a manifest", ".yaml"},
		"empty folder":      {"", map[string]string{"k8s/a.txt": ""}, nil, "no manifests found in k8s", "kustomization.yaml"},
		"many objects":      {"", map[string]string{"k8s/a.yaml": manyConfigMaps(2001)}, nil, "the manifests have 2001 objects", "separately"},
		"deep object":       {"", map[string]string{"k8s/a.yaml": configMapHead + "data: " + strings.Repeat("[", 120) + strings.Repeat("]", 120) + "\n"}, nil, "more than 100 levels deep", ""},
		"no object":         {"", map[string]string{"k8s/a.yaml": "# nothing\n---\n"}, nil, "no objects found", "deploy.manifests"},
		"both":              {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/kustomization.yml": ""}, nil, "is both a kustomization and a Helm chart", "folder"},
		"values":            {"", map[string]string{"k8s/a.yaml": deploymentYAML("")}, func(m *port.Manifests) { m.Values = []string{"v.yaml"} }, "none of the manifests is a Helm chart", ""},
		"syntax":            {"", map[string]string{"k8s/a.yaml": configMapHead + "---\n\n" + configMapHead + "data:\n\ta: b\n"}, nil, "k8s/a.yaml:10: the YAML can't be read: found character", "indentation"},
		"syntax 2":          {"", map[string]string{"k8s/a.yaml": "a: b\n---\na: b\nc: d: e\n"}, nil, "k8s/a.yaml:4: the YAML can't be read: mapping values are not allowed", ""},
		"key twice":         {"", map[string]string{"k8s/a.yaml": configMapHead + "kind: X\n"}, nil, `k8s/a.yaml:4: the YAML can't be read: key "kind" already set in map`, ""},
		"JSON":              {"", map[string]string{"k8s/a.json": "{\"a\": 1,\n  \"b\" 2}"}, nil, "k8s/a.json:2:7: the JSON can't be read", "commas"},
		"JSON ends":         {"", map[string]string{"k8s/a.json": "{\"a\": 1,\n"}, nil, "k8s/a.json:2:1: the JSON can't be read: unexpected end of file", ""},
		"JSON key twice":    {"", map[string]string{"k8s/a.json": `{"kind": "A", "kind": "B"}`}, nil, `k8s/a.json:1:1: the document has a duplicate key: duplicate field "kind"`, ""},
		"not text":          {"", map[string]string{"k8s/a.yaml": "\xff\xfe"}, nil, "k8s/a.yaml: the file is not UTF-8 text", ""},
		"hidden document":   {"", map[string]string{"k8s/a.yaml": configMapHead + "data: {a: b}\u2028---\u2028x"}, nil, "unusual line break", ""},
		"a list":            {"", map[string]string{"k8s/a.yaml": "\n- a\n"}, nil, "k8s/a.yaml:2: the document is not an object", ""},
		"bad item":          {"", map[string]string{"k8s/a.yaml": "kind: List\nitems: [1]\n"}, nil, "k8s/a.yaml:1: item 1 of the List is not an object", ""},
		"no kind":           {"", map[string]string{"k8s/a.yaml": "apiVersion: v1\n"}, nil, "k8s/a.yaml:1: the object has no kind", "metadata.name"},
		"no metadata":       {"", map[string]string{"k8s/a.yaml": "apiVersion: v1\nkind: Pod\n"}, nil, "Pod has no metadata", ""},
		"no name":           {"", map[string]string{"k8s/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: 7}\n"}, nil, "Pod has no valid metadata.name", ""},
		"generateName":      {"", map[string]string{"k8s/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n"}, nil, "Pod has metadata.generateName", "fixed"},
		"namespace":         {"", map[string]string{"k8s/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: 1}\n"}, nil, "metadata.namespace of Pod a is not a string", "quotes"},
		"owner":             {"", map[string]string{"k8s/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a, ownerReferences: [{}]}\n"}, nil, "Pod a has metadata.ownerReferences", "remove"},
		"label":             {"", map[string]string{"k8s/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {x: 1}}\n"}, nil, "metadata.labels of Pod a: x is not a string", "quotes"},
		"twice":             {"k8s/a.yaml,k8s/b.yaml", map[string]string{"k8s/a.yaml": configMapHead, "k8s/b.yaml": configMapHead + "---\n" + configMapHead}, nil, "k8s/b.yaml:1: ConfigMap a is defined twice, first at k8s/a.yaml:1", "remove"},
		"containers":        {"", map[string]string{"k8s/a.yaml": strings.Replace(deploymentYAML(""), "- name: c\n", "  name: c\n", 1)}, nil, "containers of pod template of Deployment api is not a list", ""},
		"env":               {"", map[string]string{"k8s/a.yaml": deploymentYAML("        env: {A: b}\n")}, nil, "env of container c of Deployment api is not a list", "- name:"},
		"no image":          {"", map[string]string{"k8s/a.yaml": strings.Replace(deploymentYAML(""), "retail-api", "host.example.com/retail-api:1", 1)}, nil, "no container of the manifests uses image retail-api", "images found: host.example.com/retail-api:1"},
		"no container":      {"", map[string]string{"k8s/a.yaml": configMapHead}, nil, "no container of the manifests uses image retail-api", "add a Deployment"},
		"request":           {"", map[string]string{"k8s/a.yaml": deploymentYAML("        resources: {requests: {cpu: much}}\n")}, func(m *port.Manifests) { m.Workload.CPU = 1 }, "requests.cpu of container c of Deployment api is not a quantity", "500m"},
		"mounted":           {"", map[string]string{"k8s/a.yaml": deploymentYAML("        volumeMounts: [{name: x, mountPath: /model/}]\n")}, nil, "container c of Deployment api mounts a volume at /model", "model.deliver"},
		"volume's name":     {"", map[string]string{"k8s/a.yaml": deploymentYAML("      volumes: [{name: slipway-model}]\n")}, nil, "already has a volume or container named slipway-model", ""},
		"way":               {"", map[string]string{"k8s/a.yaml": deploymentYAML("")}, func(m *port.Manifests) { m.Delivery = "post" }, `invalid model delivery "post"`, "init, volume or env"},
		"data":              {"", map[string]string{"k8s/a.yaml": deploymentYAML("---\n" + configMapHead + "data: {a: 1}\n")}, nil, "k8s/a.yaml:11: data.a of ConfigMap a is not a string", "quotes"},
		"secret's number":   {"", map[string]string{"k8s/a.yaml": deploymentYAML("---\n" + secretHead + "stringData: {a: 12345678}\n")}, nil, "stringData.a of Secret a is not a string", "quotes"},
		"secret's base64":   {"", map[string]string{"k8s/a.yaml": deploymentYAML("---\n" + secretHead + "data: {a: " + secretValue + "}\n")}, nil, "data.a of Secret a is not base64", "stringData"},
		"secret's tag":      {"", map[string]string{"k8s/a.yaml": secretHead + "data: {a: !!int " + secretValue + "}\n"}, nil, "a value does not match its tag", ""},
		"secret's alias":    {"", map[string]string{"k8s/a.yaml": secretHead + "data: {a: *" + secretValue + "}\n"}, nil, "has no anchor", ""},
		"secret's key":      {"", map[string]string{"k8s/a.yaml": secretHead + "data: {[a]: " + secretValue + "}\n"}, nil, "the YAML can't be read", ""},
		"same name":         {"", map[string]string{"k8s/a.yaml": deploymentYAML("---\n" + strings.Replace(secretHead, "a}", "a, namespace: x, annotations: {slipway.dev/keep-name: 'true'}}", 1) + "stringData: {a: " + secretValue + "}\n---\n" + strings.Replace(secretHead, "a}", "a, annotations: {slipway.dev/keep-name: 'true'}}", 1))}, nil, "two Secrets with different content have the fixed name a", ""},
		"kustomize syntax":  {"", map[string]string{"k8s/kustomization.yaml": "resources: [a.yaml]", "k8s/a.yaml": configMapHead + "data: [\n"}, nil, "k8s/a.yaml:", ""},
		"kustomize field":   {"", map[string]string{"k8s/kustomization.yaml": "resorces: [a.yaml]"}, nil, `k8s/kustomization.yaml: the kustomization can't be read: unknown field "resorces"`, ""},
		"kustomize plugin":  {"", map[string]string{"k8s/kustomization.yaml": "Transformers: [a.yaml]"}, nil, "uses transformers (plugins)", "commit"},
		"kustomize chart":   {"", map[string]string{"k8s/kustomization.yaml": "helmCharts: [{name: a}]"}, nil, "uses helmCharts", ""},
		"kustomize other":   {"k8s/over", map[string]string{"k8s/over/kustomization.yaml": "patches: [{path: ../p.yaml}]\nresources: [../base]", "k8s/base/kustomization.yaml": "resources: [a.yaml]", "k8s/base/a.yaml": configMapHead, "k8s/p.yaml": configMapHead}, nil, "k8s/over: build the kustomization", "outside"},
		"kustomize out":     {"", map[string]string{"k8s/kustomization.yaml": "resources: [../../other]"}, nil, "outside the checkout", ""},
		"kustomize base":    {"", map[string]string{"k8s/kustomization.yaml": "resources: [b]", "k8s/b/kustomization.yaml": "resources: [ssh://host/repo]"}, nil, "k8s/b/kustomization.yaml: the kustomization loads \"ssh://host/repo\", a remote resource", ""},
		"kustomize secret":  {"", map[string]string{"k8s/kustomization.yaml": "secretGenerator: [{name: a, literals: [" + secretValue + "]}]"}, nil, "build the kustomization: ", ""},
		"kustomize patch":   {"", map[string]string{"k8s/kustomization.yaml": "resources: [a.yaml]\npatches: [{target: {kind: Secret}, patch: '[{\"op\": \"test\", \"path\": \"/data/a\", \"value\": \"' }]\n", "k8s/a.yaml": secretHead + "stringData: {a: " + secretValue + "}\n"}, nil, "build the kustomization", ""},
		"kustomize merge":   {"", map[string]string{"k8s/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: p.yaml}]\n", "k8s/p.yaml": secretHead + "stringData: {a: [" + secretValue + "}\n", "k8s/a.yaml": secretHead}, nil, "build the kustomization", ""},
		"kustomize same":    {"", map[string]string{"k8s/kustomization.yaml": "resources: [a.yaml, b.yaml]", "k8s/a.yaml": secretHead + "stringData: {a: " + secretValue + "}\n", "k8s/b.yaml": secretHead}, nil, "build the kustomization", ""},
		"bomb":              {"", map[string]string{"k8s/a.yaml": aliasBomb()}, nil, "k8s/a.yaml", ""},
		"deep":              {"", map[string]string{"k8s/a.yaml": "a: " + strings.Repeat("[", 100_000)}, nil, "k8s/a.yaml", ""},
		"deep JSON":         {"", map[string]string{"k8s/a.json": strings.Repeat("[", 100_000)}, nil, "k8s/a.json", ""},
		"chart syntax":      {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/templates/a.yaml": "a:\n{{ if }}"}, nil, "k8s/templates/a.yaml:2: render the chart: missing value for if", "helm template"},
		"chart value":       {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/templates/a.yaml": "a:\n{{ .Values.a.b }}"}, nil, "k8s/templates/a.yaml:2:", ""},
		"chart random":      {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/templates/a.yaml": "{{ randAlphaNum 5 }}"}, nil, "randAlphaNum is not available", ""},
		"chart output":      {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/templates/a.yaml": "a: b\nc\n"}, nil, "k8s/templates/a.yaml (rendered):", ""},
		"chart hook":        {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/templates/a.yaml": strings.Replace(configMapHead, "a}", "a, annotations: {helm.sh/hook: \"pre-install,post-upgrade\"}}", 1)}, nil, "ConfigMap a is a Helm hook (post-upgrade)", "Job"},
		"chart delete hook": {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/templates/a.yaml": strings.Replace(configMapHead, "a}", "a, annotations: {helm.sh/hook: pre-delete}}", 1)}, nil, "ConfigMap a is a Helm hook (pre-delete), which Slipway does not run: Slipway removes objects one by one", "Job"},
		"chart pod hook":    {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/templates/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {helm.sh/hook: pre-install}}\n"}, nil, "Pod a is a Helm hook, and Slipway runs only those that are Jobs", "Job"},
		"suspended Job":     {"", map[string]string{"k8s/a.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {suspend: true, template: {spec: {containers: [{name: a, image: retail-api}]}}}\n"}, nil, "Job a is suspended", "suspend"},
		"on-rollback":       {"", map[string]string{"k8s/a.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {slipway.dev/on-rollback: always}}\nspec: {template: {spec: {containers: [{name: a, image: retail-api}]}}}\n"}, nil, "invalid value \"always\" of annotation slipway.dev/on-rollback of Job a", "run"},
		"chart fails":       {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/values.yaml": "p: " + secretValue, "k8s/templates/a.yaml": "{{ fail (printf \"bad %s\" .Values.p) }}"}, nil, "bad ***", ""},
		"chart tpl":         {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/values.yaml": "p: \"{{ x }} " + secretValue + "\"", "k8s/templates/a.yaml": "{{ tpl .Values.p . }}"}, nil, "render the chart", ""},
		"chart dependency":  {"", map[string]string{"k8s/Chart.yaml": chartYAML + "dependencies: [{name: db, version: 1.0.0, repository: https://example.com}]"}, nil, `depends on "db"`, "helm dependency build k8s"},
		"chart library":     {"", map[string]string{"k8s/Chart.yaml": chartYAML + "type: library"}, nil, "the chart is a library", ""},
		"chart values":      {"", map[string]string{"k8s/Chart.yaml": chartYAML, "v.yaml": "a: b\nc"}, func(m *port.Manifests) { m.Values = []string{"v.yaml"} }, "v.yaml:", ""},
		"chart schema":      {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/values.yaml": "p: " + secretValue, "k8s/values.schema.json": `{"properties": {"p": {"pattern": "^x"}}}`}, nil, "the values do not match the chart's schema", "check /p"},
		"chart clash":       {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/values.yaml": "a: {p: {q: x}}", "v.yaml": "a: {p: " + secretValue + "}"}, func(m *port.Manifests) { m.Values = []string{"v.yaml"} }, "k8s/values.yaml: value a.p is a map", ""},
		"chart import":      {"", map[string]string{"k8s/Chart.yaml": chartYAML + "dependencies: [{name: d, version: 0.1.0, import-values: [{child: p, parent: a}]}]", "k8s/values.yaml": "a: " + secretValue, "k8s/charts/d/Chart.yaml": strings.Replace(chartYAML, "c", "d", 1), "k8s/charts/d/values.yaml": "p: {q: x}"}, nil, `value a, imported from dependency "d", is a map in only one`, "another name"},
		"schema's file":     {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/values.schema.json": `{"$ref": "file:///etc/passwd"}`}, nil, "refers to another document", ""},
		"sub schema":        {"", map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/charts/d/Chart.yaml": strings.Replace(chartYAML, "c", "d", 1), "k8s/charts/d/values.schema.json": `{"allOf": [{"$ref": "x.json"}]}`}, nil, "refers to another document", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := manifests(writeCheckout(t, c.files), "k8s")
			if c.paths != "" {
				m.Paths = strings.Split(c.paths, ",")
			}
			if c.change != nil {
				c.change(&m)
			}
			_, err := render.Render(t.Context(), m)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.wantErr) || !strings.Contains(fault.HintOf(err), c.wantHint) {
				t.Errorf("Render: %v (hint %q), want %s (hint %s)", err, fault.HintOf(err), c.wantErr, c.wantHint)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(fault.HintOf(err), "hunter2") || strings.Contains(err.Error(), m.Dir)) {
				t.Errorf("error shows a secret value or the checkout's path: %v (%s)", err, fault.HintOf(err))
			}
		})
	}
}

// No source may read outside the checkout.
func TestRender_RejectsLinksOutsideCheckout(t *testing.T) {
	outside := writeCheckout(t, map[string]string{"secret.yaml": deploymentYAML(""), "base/kustomization.yaml": "resources: [a.yaml]", "base/a.yaml": deploymentYAML("")})
	for name, link := range map[string][2]string{
		"file":          {"k8s/a.yaml", filepath.Join(outside, "secret.yaml")},
		"folder":        {"k8s", outside},
		"relative":      {"k8s/a.yaml", "../../" + filepath.Base(outside) + "/secret.yaml"},
		"kustomization": {"k8s/kustomization.yaml", filepath.Join(outside, "base/kustomization.yaml")},
		"resource":      {"k8s/b", filepath.Join(outside, "base")},
		"template":      {"k8s/templates/a.yaml", filepath.Join(outside, "secret.yaml")},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"README": ""}
			switch name {
			case "resource":
				files["k8s/kustomization.yaml"] = "resources: [b]"
			case "template":
				files["k8s/Chart.yaml"], files["k8s/templates/b.yaml"] = chartYAML, ""
			case "file", "relative", "kustomization":
				files["k8s/README"] = ""
			}
			dir := writeCheckout(t, files)
			if err := os.Symlink(link[1], filepath.Join(dir, link[0])); err != nil {
				t.Fatal(err)
			}
			got, err := render.Render(t.Context(), manifests(dir, "k8s"))
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("rendered %q, %v; want an error", got.Objects, err)
			}
		})
	}
}

// No URL in the files may be requested.
func TestRender_NeverUsesNetwork(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	_, at, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	url := "http://127.0.0.1:" + at
	for _, k := range []string{
		"resources: [URL/a.yaml]", "resources: ['git::URL/a/b']", "resources: [github.com/a/b]", "resources: ['GITHUB.com:a/b']", "resources: ['git@127.0.0.1:a/b']",
		"Resources: ['HTTP://127.0.0.1:1/a/b.git']", "components: [URL/a/b]", "bases: [URL/a/b]", "crds: [URL/a]", "configurations: [URL/a]",
		"openapi: {path: URL/a}", "patches: [{path: URL/a}]", "patchesStrategicMerge: [URL/a]", "patchesJson6902: [{path: URL/a, target: {kind: A}}]",
		"replacements: [{path: URL/a}]", "configMapGenerator: [{name: a, files: [URL/a]}]", "configMapGenerator: [{name: a, files: [a=URL/a]}]",
		"secretGenerator: [{name: a, envs: [URL/a]}]", "configMapGenerator: [{name: a, env: URL/a}]", "resources: ['file:///etc']",
		"generators: [URL/a]", "validators: [URL/a]", "resources: ['ssh://127.0.0.1/a']",
	} {
		dir := writeCheckout(t, map[string]string{"k8s/kustomization.yaml": strings.ReplaceAll(k, "URL", url)})
		_, err := render.Render(t.Context(), manifests(dir, "k8s"))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "a remote resource") && !strings.Contains(err.Error(), "does not support") {
			t.Errorf("Render with %s: %v, want it rejected as remote or not supported", k, err)
		}
	}
	dir := writeCheckout(t, map[string]string{"k8s/Chart.yaml": chartYAML, "k8s/values.schema.json": `{"$ref": "` + url + `"}`})
	if _, err := render.Render(t.Context(), manifests(dir, "k8s")); !fault.Is(err, fault.Invalid) {
		t.Errorf("Render with a remote schema: %v, want fault.Invalid", err)
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("the server received %d requests", n)
	}
}

func TestRender_Cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := render.Render(ctx, sampleManifests(t, "plain", "k8s")); !errors.Is(err, context.Canceled) {
		t.Errorf("Render: %v, want context.Canceled", err)
	}
}

func TestRender_InitDeliveryNeedsModelImage(t *testing.T) {
	m := sampleManifests(t, "plain", "k8s")
	m.ModelImage, m.Delivery = delivery.Image{}, delivery.DeliverByInit
	if _, err := render.Render(t.Context(), m); !fault.Is(err, fault.Internal) {
		t.Errorf("Render: %v, want fault.Internal", err)
	}
}
