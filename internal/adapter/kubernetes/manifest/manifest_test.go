package manifest

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	imageDigest     = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	apiDeployment   = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"api"},"spec":{"selector":{"matchLabels":{"app":"api"}},"template":{"metadata":{"labels":{"app":"api"}},"spec":{"containers":[{"name":"api","image":"api@` + imageDigest + `"}]}}}}`
	apiService      = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"api"},"spec":{"selector":{"app":"api"},"ports":[{"port":80}]}}`
	cacheService    = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"cache"},"spec":{"selector":{"app":"cache"},"ports":[{"port":80}]}}`
	cacheDeployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"cache"},"spec":{"selector":{"matchLabels":{"app":"cache"}},"template":{"metadata":{"labels":{"app":"cache"}},"spec":{"containers":[{"name":"cache","image":"redis@sha256:22"}]}}}}`
	settingsMap     = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"other"}}`
)

func request(objects ...string) port.DeployRequest {
	text := "[" + strings.Join(objects, ",") + "]"
	return port.DeployRequest{Service: "api", Environment: "prod", ID: "r-0123456789ab", Release: delivery.Release{
		Service: "api", Image: delivery.Image{Repository: "api", Digest: imageDigest}, Objects: text,
		Manifests: delivery.DigestOf([]byte(text)),
	}}
}

// options are those of a place with an embedded registry.
func options() Options {
	return Options{
		Registry: "127.0.0.1:5000/", Namespace: "ns",
		IsNamespaced: func(*unstructured.Unstructured) bool { return true },
	}
}

func TestNew(t *testing.T) {
	set, err := New(request(settingsMap, cacheDeployment, cacheService, apiService, apiDeployment), options())
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Workloads) != 1 || len(set.Services) != 1 || len(set.Others) != 3 {
		t.Fatalf("%d workloads, %d Services, %d others; want 1, 1, 3", len(set.Workloads), len(set.Services), len(set.Others))
	}
	workload := set.Workloads[0]
	if workload.GetName() != "api" || set.Services[0].GetName() != "api" {
		t.Errorf("the workload is %s, the Service is %s; want api", workload.GetName(), set.Services[0].GetName())
	}
	if text := YAML(workload); !strings.Contains(text, "image: 127.0.0.1:5000/api@"+imageDigest) {
		t.Errorf("the image has no registry:\n%s", text)
	}
	if id := TemplateRelease(workload); id != "r-0123456789ab" {
		t.Errorf("TemplateRelease = %q, want r-0123456789ab", id)
	}
	for _, o := range set.All {
		want := "ns"
		if o.GetName() == "settings" {
			want = "other"
		}
		if l := o.GetLabels(); o.GetNamespace() != want || l[labels.Service] != "api" || l[labels.Environment] != "prod" {
			t.Errorf("%s %s is in %s with labels %v", o.GetKind(), o.GetName(), o.GetNamespace(), l)
		}
	}
}

func TestNew_Rejects(t *testing.T) {
	changed := request(apiService, apiDeployment)
	changed.Release.Objects = strings.Replace(changed.Release.Objects, "api", "apj", 1)
	foreign := request()
	foreign.Release.Objects = ""
	for _, c := range []struct {
		name    string
		request port.DeployRequest
		kind    fault.Kind
		want    string // in the error
	}{
		{"built for another target", foreign, fault.Invalid, "no Kubernetes objects"},
		{"changed", changed, fault.Corrupt, "the release pins"},
		{"no objects", request(`{"kind":"Service"}`), fault.Corrupt, "without a name"},
		{"no Service", request(apiDeployment), fault.Invalid, "no Service"},
		{"a Service of another workload", request(apiDeployment, cacheService), fault.Invalid, "no Service"},
		{"no Deployment", request(apiService), fault.Invalid, "no Deployment"},
		{"a Deployment of another image", request(cacheDeployment, cacheService), fault.Invalid, "no Deployment"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := New(c.request, options()); !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %s with %q", err, c.kind, c.want)
			}
		})
	}
}

func TestNew_Exclusive(t *testing.T) {
	elsewhere := func(object string) string {
		return strings.Replace(object, `"name":"api"`, `"name":"api","namespace":"default"`, 1)
	}
	const want = "Deployment api: the manifest names namespace default, but the target's namespace is ns"
	for _, c := range []struct {
		name    string
		objects []string
		want    string // in the error; empty: none
	}{
		{"target's", []string{settingsMap, apiService, apiDeployment}, ""},
		{"both elsewhere", []string{elsewhere(apiService), elsewhere(apiDeployment)}, want},
		{"Deployment elsewhere", []string{apiService, elsewhere(apiDeployment)}, want},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := options()
			opts.Exclusive = true
			_, err := New(request(c.objects...), opts)
			if c.want == "" && err != nil || c.want != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}
