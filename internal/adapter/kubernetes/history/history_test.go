package history

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestLoad_RejectsMissingPart: a release without one of its parts is not read as if it
// were complete.
func TestLoad_RejectsMissingPart(t *testing.T) {
	server := fakeapi.New(t)
	c, k := server.Client(), &Keyring{Service: "sample", Environment: "prod"}
	rel := delivery.ReleaseRecord{ID: "r-0123456789ab", Run: "run-1"}
	rel.Release.Objects = noise(2 * maxPart)
	h := port.History{Service: "sample", Environment: "prod", Releases: []delivery.ReleaseRecord{rel},
		Deployments: []delivery.Deployment{{Release: rel.ID, Run: "run-1", State: delivery.Serving}}}
	if err := Save(t.Context(), c, k, h); err != nil {
		t.Fatal(err)
	}
	parts := 0
	for path, o := range server.Objects() {
		if o.GetLabels()[labels.Record] != releaseRecord {
			continue
		}
		parts++
		if raw, _, _ := unstructured.NestedString(o.Object, "binaryData", releaseKey); len(raw) > 2<<20 {
			t.Errorf("%s has %d bytes", path, len(raw))
		}
		if immutable, _, _ := unstructured.NestedBool(o.Object, "immutable"); !immutable {
			t.Errorf("%s is not immutable", path)
		}
	}
	if parts < 2 {
		t.Fatalf("%d parts, want at least 2", parts)
	}
	for n := range parts {
		path := "/api/v1/namespaces/ns/configmaps/slipway-sample-prod" + "-" + string(rel.ID) + "-" + string(rune('0'+n))
		server.Without(path, func() {
			if got, err := Load(t.Context(), c, k); err == nil {
				t.Errorf("Load without part %d returns %d releases, want an error", n, len(got.Releases))
			}
		})
	}
	if _, err := Load(t.Context(), c, k); err != nil {
		t.Error(err)
	}
}

// TestSave_KeepsFieldsOfNewerProgram: the history is rewritten by every deployment.
func TestSave_KeepsFieldsOfNewerProgram(t *testing.T) {
	server := fakeapi.New(t)
	c, k := server.Client(), &Keyring{Service: "sample", Environment: "prod"}
	h := port.History{Service: "sample", Environment: "prod", Releases: []delivery.ReleaseRecord{{ID: "r-0123456789ab"}},
		Deployments: []delivery.Deployment{{Release: "r-0123456789ab", Run: "run-1", State: delivery.Serving}}}
	if err := Save(t.Context(), c, k, h); err != nil {
		t.Fatal(err)
	}
	const path = "/api/v1/namespaces/ns/configmaps/slipway-sample-prod"
	read := func() string {
		text, _, _ := unstructured.NestedString(server.Objects()[path].Object, "data", historyKey)
		return text
	}
	const newer = `"newer":{"x":1}`
	edited := strings.Replace(strings.TrimSuffix(read(), "}")+","+newer+"}", `"run":"run-1"`, `"run":"run-1",`+newer, 1)
	server.Edit(path, func(o *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(o.Object, edited, "data", historyKey); err != nil {
			t.Fatal(err)
		}
	})
	loaded, err := Load(t.Context(), c, k)
	if err != nil {
		t.Fatal(err)
	}
	loaded.Deployments[0].State = delivery.Replaced
	loaded.Deployments = append(loaded.Deployments, delivery.Deployment{Release: "r-0123456789ab", Run: "run-2", State: delivery.Serving})
	if err := Save(t.Context(), c, k, loaded); err != nil {
		t.Fatal(err)
	}
	if got := read(); strings.Count(got, newer) != 2 || !strings.Contains(got, `"state":"replaced"`) || !strings.HasSuffix(got, ","+newer+"}") {
		t.Errorf("history = %s, want the fields of the newer program in it and in its first deployment", got)
	}
}

// noise returns text that cannot be compressed.
func noise(n int) string {
	out, x := make([]byte, n), uint32(1)
	for i := range out {
		x = x*1664525 + 1013904223
		out[i] = 'A' + byte(x>>26)%58
	}
	return string(out)
}
