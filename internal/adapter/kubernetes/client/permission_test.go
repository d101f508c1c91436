package client

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// TestPermission_Verbs: what a hint tells people to grant is what the documented role
// grants.
func TestPermission_Verbs(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/kubernetes-role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.Role
	for _, doc := range strings.Split(string(text), "\n---\n") {
		if strings.Contains(doc, "\nkind: Role\n") {
			if err := yaml.Unmarshal([]byte(doc), &role); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(role.Rules) == 0 {
		t.Fatal("no rules found")
	}
	granted := map[string][]string{} // by resource: several rules may be about one
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			granted[resource] = append(granted[resource], rule.Verbs...)
		}
	}
	for resource, verbs := range granted {
		p := permission{resource: resource, verb: verbs[0]}
		if got := p.verbs(); !reflect.DeepEqual(got, verbs) {
			t.Errorf("%s: verbs %v, the role grants %v", resource, got, verbs)
		}
		if p.verb = "deletecollection"; !slices.Contains(p.verbs(), p.verb) {
			t.Errorf("%s: the missing verb is not in %v", resource, p.verbs())
		}
	}
}
