package lease

import (
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// TestObject_DescribesHostileHolder: whoever may write leases says who holds this one, and
// the text is shown while a run waits.
func TestObject_DescribesHostileHolder(t *testing.T) {
	holder := "r-1\x1b[2K\r✔ done\n" + strings.Repeat("x", 10_000)
	raw := &unstructured.Unstructured{}
	raw.SetAnnotations(map[string]string{labels.Host: "ci\n✔ forged"})
	got := (&object{raw, coordinationv1.LeaseSpec{HolderIdentity: &holder}}).describe()
	if !strings.HasPrefix(got, "run r-1 ") || !strings.HasSuffix(got, " on ci ✔ forged") || len(got) > 200 || strings.ContainsAny(got, "\x1b\r\n") {
		t.Errorf("describe() = %q", got)
	}
}
