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
	granted := map[string][]string{}
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			p := permission{resource: resource, group: rule.APIGroups[0], verb: rule.Verbs[0]}
			granted[resource] = append(granted[resource], rule.Verbs...) // a later rule adds to it
			if got := p.verbs(); !reflect.DeepEqual(got, granted[resource]) {
				t.Errorf("%s: verbs %v, the role grants %v", resource, got, granted[resource])
			}
			if p.verb = "deletecollection"; !slices.Contains(p.verbs(), p.verb) {
				t.Errorf("%s: the missing verb is not in %v", resource, p.verbs())
			}
		}
	}
}
