package client

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// permission is what an account lacks.
type permission struct {
	user, verb, resource, group string
	namespace                   string // empty: it is needed in the whole cluster
}

// permissionPattern matches the message of every authorizer.
var permissionPattern = regexp.MustCompile(`User "([^"]*)" cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?`)

// missingPermission reads the permission from the API server's message; ok is false if
// the message is about something else, such as the object itself.
func missingPermission(message string) (p permission, ok bool) {
	m := permissionPattern.FindStringSubmatch(message)
	if m == nil {
		return p, false
	}
	return permission{user: m[1], verb: m[2], resource: m[3], group: m[4], namespace: m[5]}, true
}

// rule returns the rule of a Role that grants all that Slipway does with the resource.
func (p permission) rule() string {
	group := p.group
	if group == "" {
		group = `""`
	}
	return fmt.Sprintf("{apiGroups: [%s], resources: [%s], verbs: [%s]}", group, p.resource, strings.Join(p.verbs(), ", "))
}

// verbs returns those of docs/kubernetes-role.yaml, or what the objects of a release
// need, and in any case the one that was missing.
func (p permission) verbs() []string {
	needed := []string{"get", "create", "patch", "delete"}
	switch p.resource {
	case "deployments":
		needed = []string{"get", "list", "watch", "create", "patch", "delete"}
	case "services", "configmaps", "horizontalpodautoscalers", "ingresses":
		needed = []string{"get", "list", "create", "patch", "delete"}
	case "leases":
		needed = []string{"get", "create", "update", "delete"}
	case "replicasets", "pods":
		needed = []string{"list", "watch", "patch"}
	case "events", "endpointslices":
		needed = []string{"list", "watch"}
	case "pods/log":
		needed = []string{"get"}
	case "pods/portforward":
		needed = []string{"get", "create"}
	}
	if !slices.Contains(needed, p.verb) {
		needed = append(needed, p.verb)
	}
	return needed
}

func (p permission) hint() string {
	if p.namespace == "" {
		return fmt.Sprintf("grant it to %s in a ClusterRole, with the rule %s", p.user, p.rule())
	}
	return fmt.Sprintf("grant it to %s in namespace %s: the rules of its Role (docs/kubernetes-role.yaml) need %s", p.user, p.namespace, p.rule())
}
