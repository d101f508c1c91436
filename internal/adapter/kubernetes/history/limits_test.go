package history

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/memorytest"
	"github.com/slipway-cd/slipway/internal/port"
)

// bomb is a release that unpacks to about size bytes.
func bomb(t *testing.T, id delivery.ReleaseID, size int) []unstructured.Unstructured {
	t.Helper()
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(z, `{"id":%q,"release":{"objects":"`, id)
	text := []byte(strings.Repeat("x", 1<<20))
	for range size >> 20 {
		_, _ = z.Write(text)
	}
	_, _ = z.Write([]byte(`"}}`))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return []unstructured.Unstructured{part("0", packed.Bytes())}
}

// TestDecodeRelease_Bomb: a ConfigMap of a megabyte does not unpack to a gigabyte, and
// neither do many of them.
func TestDecodeRelease_Bomb(t *testing.T) {
	memorytest.Run(t, 8*maxDecoded, func() {
		left := int64(maxUnpacked)
		if _, err := decodeRelease("r-0123456789ab", bomb(t, "r-0123456789ab", 4*maxDecoded), &left); !fault.Is(err, fault.Corrupt) || !strings.Contains(fmt.Sprint(err), "unpacks to more than 67108864") {
			t.Errorf("a release of %d bytes: error = %v, want %s", 4*maxDecoded, err, fault.Corrupt)
		}
		left = int64(maxUnpacked)
		within := bomb(t, "r-0123456789ab", maxDecoded/2)
		for n := 1; ; n++ {
			_, err := decodeRelease("r-0123456789ab", within, &left)
			if n > maxUnpacked/(maxDecoded/2) {
				t.Fatalf("%d releases of %d bytes were unpacked", n, maxDecoded/2)
			}
			if err != nil {
				t.Logf("release %d: %v", n, err)
				break
			}
		}
	})
}

// TestLoad_TooManyReleases: a history is not what anyone may add to without end.
func TestLoad_TooManyReleases(t *testing.T) {
	server := fakeapi.New(t)
	h := port.History{Service: "sample", Environment: "prod"}
	for i := range maxReleases + 1 {
		o := newConfigMap(fmt.Sprintf("planted-%d", i), releaseRecord, h)
		o.SetNamespace("ns")
		o.SetAnnotations(map[string]string{labels.Release: fmt.Sprintf("r-%012x", i)})
		server.Put("/api/v1/namespaces/ns/configmaps/"+o.GetName(), o)
	}
	if _, err := Load(t.Context(), server.Client(), &Keyring{Service: "sample", Environment: "prod"}); !fault.Is(err, fault.Corrupt) || !strings.Contains(fmt.Sprint(err), "201 releases") {
		t.Errorf("error = %v, want %s", err, fault.Corrupt)
	}
}
