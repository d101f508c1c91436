package kubernetes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestControllersBehind(t *testing.T) {
	for _, c := range []struct {
		name, status string
		want         []string
	}{
		{"no controller", `{}`, nil},
		{"has seen it", `{parents: [{controllerName: a, conditions: [{type: Accepted, status: "True", observedGeneration: 3}]}]}`, nil},
		{"has seen an earlier one", `{parents: [{controllerName: a, conditions: [{type: Accepted, status: "True", observedGeneration: 2}]}]}`, []string{"a"}},
		{"one of two", `{parents: [
			{controllerName: a, conditions: [{type: Accepted, status: "True", observedGeneration: 3}]},
			{controllerName: b, conditions: [{type: Accepted, status: "True", observedGeneration: 3}, {type: ResolvedRefs, status: "True", observedGeneration: 2}]}]}`, []string{"b"}},
		{"names no generation", `{parents: [{controllerName: a, conditions: [{type: Accepted, status: "True"}]}]}`, nil},
		{"a refusal that is never renewed", `{parents: [{controllerName: a, conditions: [{type: Programmed, status: "False", observedGeneration: 1}]}]}`, nil},
		{"does not know a Service yet", `{parents: [{controllerName: a, conditions: [{type: ResolvedRefs, status: "False", reason: BackendNotFound, observedGeneration: 3}]}]}`, []string{"a"}},
		{"no list", `{parents: {}}`, nil},
		{"no object", `{parents: [a, {conditions: [b]}]}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var route unstructured.Unstructured
			text := "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: api, generation: 3}, status: " + c.status + "}"
			if err := yaml.Unmarshal([]byte(text), &route); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, controllersBehind(&route)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLeadsAnywhere(t *testing.T) {
	endpoints := func(service string, ready ...*bool) discoveryv1.EndpointSlice {
		s := discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{discoveryv1.LabelServiceName: service}}}
		for _, r := range ready {
			s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Conditions: discoveryv1.EndpointConditions{Ready: r}})
		}
		return s
	}
	yes, no := new(true), new(false)
	for _, c := range []struct {
		name  string
		found []discoveryv1.EndpointSlice
		want  bool
	}{
		{"nothing", nil, false},
		{"an empty slice", []discoveryv1.EndpointSlice{endpoints("api")}, false},
		{"not ready", []discoveryv1.EndpointSlice{endpoints("api", no)}, false},
		{"another Service's", []discoveryv1.EndpointSlice{endpoints("web", yes)}, false},
		{"ready", []discoveryv1.EndpointSlice{endpoints("api"), endpoints("api", no, yes)}, true},
		{"unknown", []discoveryv1.EndpointSlice{endpoints("api", nil)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := leadsAnywhere(c.found, "api"); got != c.want {
				t.Errorf("leadsAnywhere = %t, want %t", got, c.want)
			}
		})
	}
}
