package client

import (
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestUnknownKindHint(t *testing.T) {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Group: "policy", Version: "v1"}})
	mapper.Add(schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}, meta.RESTScopeNamespace)
	for _, c := range []struct {
		name string
		gvk  schema.GroupVersionKind
		want string
	}{
		{"version", schema.GroupVersionKind{Group: "policy", Version: "v1beta1", Kind: "PodDisruptionBudget"}, "as policy/v1"},
		{"typo", schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deploymnt"}, "did you mean Deployment?"},
		{"version that is gone", schema.GroupVersionKind{Group: "batch", Version: "v1beta1", Kind: "CronJob"}, "install its"},
		{"foreign", schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}, "install its CustomResourceDefinition"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := unknownKindHint(mapper, c.gvk); !strings.Contains(got, c.want) {
				t.Errorf("hint = %q, want %q", got, c.want)
			}
		})
	}
}

func TestResponseError(t *testing.T) {
	for _, c := range []struct {
		name, body string
		kind       fault.Kind
	}{
		{"status", unsupportedMedia, fault.Failed},
		{"forbidden", forbidden, fault.Denied},
		{"of a proxy", "<html>Bad Gateway", fault.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := strings.Replace(c.body, `{"status"`, `{"kind":"Status","status"`, 1)
			if err := Explain("request /log", responseError(http.StatusText(http.StatusBadGateway), []byte(body))); !fault.Is(err, c.kind) {
				t.Errorf("error = %v of kind %s, want %s", err, fault.KindOf(err), c.kind)
			}
		})
	}
}

func TestIsBrought(t *testing.T) {
	object := func(text string) *unstructured.Unstructured {
		o := new(unstructured.Unstructured)
		if err := o.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return o
	}
	definition := object(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"widgets.example.com"},"spec":{"group":"example.com","names":{"kind":"Widget"}}}`)
	brought := broughtKinds([]*unstructured.Unstructured{definition})
	unknown := fault.New(fault.Invalid, "unknown").Cause(ErrUnknownKind)
	for _, c := range []struct {
		name, kind string
		err        error
		want       bool
	}{
		{"defined by the release", "Widget", unknown, true},
		{"typo", "Widgte", unknown, false},
		{"namespace", "Widget", fault.New(fault.NotFound, "namespace"), true},
		{"another error", "Widget", fault.New(fault.Denied, "no"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := object(`{"apiVersion":"example.com/v1","kind":"` + c.kind + `","metadata":{"name":"x"}}`)
			if got := isBrought(o, brought, c.err); got != c.want {
				t.Errorf("isBrought = %v, want %v", got, c.want)
			}
		})
	}
}
