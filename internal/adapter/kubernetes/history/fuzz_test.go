package history

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// FuzzDecodeRelease: what a tenant of the cluster writes as a release is refused, or is
// the one that its name says.
func FuzzDecodeRelease(f *testing.F) {
	f.Add([]byte(`{"id":"r-0123456789ab"}`), []byte{}, "0", "1")
	f.Add([]byte(`{"id":"r-ffffffffffff"}`), []byte{}, "1", "0")
	f.Add([]byte(`{"id":"r-0123456789ab","release":{"image":{"digest":"../x"}}}`), []byte("not gzip"), "", "10")
	f.Add([]byte(`null`), []byte{0x1f, 0x8b}, "a", "b")
	f.Fuzz(func(t *testing.T, document, tail []byte, first, second string) {
		var compressed bytes.Buffer
		z := gzip.NewWriter(&compressed)
		_, _ = z.Write(document)
		_ = z.Close()
		parts := []unstructured.Unstructured{part(first, compressed.Bytes()), part(second, tail)}
		const id delivery.ReleaseID = "r-0123456789ab"
		left := int64(maxUnpacked)
		if r, err := decodeRelease(id, parts, &left); err == nil && r.ID != id {
			t.Errorf("decodeRelease returned %q", r.ID)
		}
		_, _ = decodeRelease(id, []unstructured.Unstructured{part(first, tail)}, &left)
	})
}

func part(number string, content []byte) unstructured.Unstructured {
	o := unstructured.Unstructured{Object: map[string]any{"binaryData": map[string]any{releaseKey: base64.StdEncoding.EncodeToString(content)}}}
	o.SetName("part")
	o.SetAnnotations(map[string]string{labels.Part: number})
	return o
}
