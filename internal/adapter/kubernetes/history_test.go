package kubernetes

import (
	"encoding/base64"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestHistory runs the suite without a cluster; what an API server itself rejects is in
// the conformance tests.
func TestHistory(t *testing.T) {
	porttest.TestHistoryStore(t, func(t *testing.T) porttest.HistoryStoreFixture {
		server := fakeapi.New(t)
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
				last = newTarget(t, server)
				return last
			},
			Damage: func(t *testing.T, id delivery.ReleaseID, way int) bool { return damage(t, server, id, way) },
		}
	})
}

const (
	recordsPath = "/api/v1/namespaces/ns/configmaps/slipway-sample-prod"
	historyKey  = "history.json"
	releaseKey  = "release.json.gz"
)

// damage changes a record by hand in one of several ways; false: there are no more.
func damage(t *testing.T, server *fakeapi.Server, id delivery.ReleaseID, way int) bool {
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
		server.Edit(recordsPath, ways[way])
		return true
	}
	binary := func(raw string) func(*unstructured.Unstructured) {
		return put("binaryData", releaseKey, base64.StdEncoding.EncodeToString([]byte(raw)))
	}
	path := recordsPath + "-" + string(id) + "-0"
	raw, _, _ := unstructured.NestedString(server.Objects()[path].Object, "binaryData", releaseKey)
	packed, err := base64.StdEncoding.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	half := string(packed[:len(packed)/2])
	flipped := append([]byte(nil), packed...)
	flipped[len(flipped)-5] ^= 1 // in the checksum
	other := func(o *unstructured.Unstructured) {
		o.SetAnnotations(map[string]string{labels.Release: "r-0123456789ab", labels.Part: "0"})
	}
	ways := []func(*unstructured.Unstructured){
		put("binaryData", releaseKey, "%%%"), binary(""), binary("no gzip"), binary(half), binary(string(flipped)), put("binaryData", "other", ""), other,
	}
	if way == len(ways) {
		return false
	}
	server.Edit(path, ways[way])
	return true
}
