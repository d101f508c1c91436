package kubernetes

import (
	"encoding/base64"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestRecords runs the suite without a cluster; what an API server itself refuses
// is in the conformance tests.
func TestRecords(t *testing.T) {
	porttest.TestHistoryStore(t, func(t *testing.T) porttest.HistoryStoreFixture {
		server := newAPI(t)
		var last *Target
		t.Cleanup(func() {
			if err := last.Close(); err != nil {
				t.Error(err)
			}
		})
		return porttest.HistoryStoreFixture{
			Open: func(t *testing.T) port.HistoryStore {
				if last != nil {
					if err := last.Close(); err != nil {
						t.Fatal(err)
					}
				}
				last = server.target(Config{})
				return last
			},
			Damage: func(_ *testing.T, id delivery.ReleaseID, way int) bool { return server.damage(id, way) },
		}
	})
}

const recordsPath = "/api/v1/namespaces/ns/configmaps/slipway-sample-prod"

func (a *api) damage(id delivery.ReleaseID, way int) bool {
	put := func(field, key, text string) func(*unstructured.Unstructured) {
		return func(o *unstructured.Unstructured) { o.Object[field] = map[string]any{key: text} }
	}
	if id == "" {
		ways := []func(*unstructured.Unstructured){
			put("data", historyKey, "{"), put("data", historyKey, ""), put("data", "other", "{}"), put("data", historyKey, `{"deployments": 7}`),
		}
		if way == len(ways) {
			return false
		}
		a.change(recordsPath, ways[way])
		return true
	}
	binary := func(raw string) func(*unstructured.Unstructured) {
		return put("binaryData", releaseKey, base64.StdEncoding.EncodeToString([]byte(raw)))
	}
	path := recordsPath + "-" + string(id) + "-0"
	raw, _, _ := unstructured.NestedString(a.all()[path].Object, "binaryData", releaseKey)
	packed, err := base64.StdEncoding.DecodeString(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	half := string(packed[:len(packed)/2])
	flipped := append([]byte(nil), packed...)
	flipped[len(flipped)-5] ^= 1 // in the checksum
	other := func(o *unstructured.Unstructured) {
		o.SetAnnotations(map[string]string{releaseLabel: "r-0123456789ab", partOf: "0"})
	}
	ways := []func(*unstructured.Unstructured){
		put("binaryData", releaseKey, "%%%"), binary(""), binary("no gzip"), binary(half), binary(string(flipped)), put("binaryData", "other", ""), other,
	}
	if way == len(ways) {
		return false
	}
	a.change(path, ways[way])
	return true
}

// TestPartMissing: a release of which a part is gone is not taken for whole.
func TestPartMissing(t *testing.T) {
	server := newAPI(t)
	target := server.target(Config{})
	defer target.Close()
	rel := delivery.ReleaseRecord{ID: "r-0123456789ab", Run: "run-1"}
	rel.Release.Objects = noise(2 * mostPart)
	h := port.History{Service: "sample", Environment: "prod", Releases: []delivery.ReleaseRecord{rel},
		Deployments: []delivery.Deployment{{Release: rel.ID, Run: "run-1", State: delivery.Serving}}}
	if err := target.SaveHistory(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	parts := 0
	for path, o := range server.all() {
		if o.GetLabels()[recordLabel] != releaseRecord {
			continue
		}
		parts++
		if raw, _, _ := unstructured.NestedString(o.Object, "binaryData", releaseKey); len(raw) > 2<<20 {
			t.Errorf("%s has %d bytes", path, len(raw))
		}
		if frozen, _, _ := unstructured.NestedBool(o.Object, "immutable"); !frozen {
			t.Errorf("%s can be changed", path)
		}
	}
	if parts < 2 {
		t.Fatalf("it is in %d parts", parts)
	}
	for n := range parts {
		path := recordsPath + "-" + string(rel.ID) + "-" + string(rune('0'+n))
		server.without(path, func() {
			if got, err := target.LoadHistory(t.Context(), "sample", "prod"); err == nil {
				t.Errorf("without part %d: %d releases", n, len(got.Releases))
			}
		})
	}
	if _, err := target.LoadHistory(t.Context(), "sample", "prod"); err != nil {
		t.Error(err)
	}
}

// noise can't be packed.
func noise(n int) string {
	out, x := make([]byte, n), uint32(1)
	for i := range out {
		x = x*1664525 + 1013904223
		out[i] = 'A' + byte(x>>26)%58
	}
	return string(out)
}
