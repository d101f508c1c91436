package account

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestNamespaceRules: what is made in a cluster is what the documentation says.
func TestNamespaceRules(t *testing.T) {
	text, err := os.ReadFile("../../docs/kubernetes-role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range strings.Split(string(text), "\n---\n") {
		var role struct {
			Kind  string
			Rules []Rule
		}
		if err := yaml.Unmarshal([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		if role.Kind != "Role" {
			continue
		}
		if diff := cmp.Diff(role.Rules, NamespaceRules()); diff != "" {
			t.Errorf("docs/kubernetes-role.yaml (-) and the rules (+) differ:\n%s", diff)
		}
		return
	}
	t.Error("docs/kubernetes-role.yaml has no Role")
}
