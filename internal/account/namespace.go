package account

// Rule allows verbs on kinds of objects in a namespace of Kubernetes.
type Rule struct {
	APIGroups, Resources, Verbs []string
}

// NamespaceRole is the name of the Role and the RoleBinding of NamespaceRights.
const NamespaceRole = "slipway"

// NamespaceRules are what delivering to a namespace needs there, the same as in
// docs/kubernetes-role.yaml, which has the reasons.
func NamespaceRules() []Rule {
	rule := func(group string, resources, verbs []string) Rule { return Rule{[]string{group}, resources, verbs} }
	change := []string{"get", "list", "create", "patch", "delete"}
	own := []string{"get", "create", "patch", "delete"}
	return []Rule{
		rule("apps", []string{"deployments"}, []string{"get", "list", "watch", "create", "patch", "delete"}),
		rule("", []string{"services", "configmaps"}, change),
		rule("", []string{"secrets", "serviceaccounts"}, own),
		rule("autoscaling", []string{"horizontalpodautoscalers"}, change),
		rule("networking.k8s.io", []string{"ingresses"}, change),
		rule("gateway.networking.k8s.io", []string{"httproutes"}, own),
		rule("networking.k8s.io", []string{"networkpolicies"}, own),
		rule("policy", []string{"poddisruptionbudgets"}, own),
		rule("apps", []string{"replicasets"}, []string{"list", "watch"}),
		rule("", []string{"pods", "events"}, []string{"list", "watch"}),
		rule("discovery.k8s.io", []string{"endpointslices"}, []string{"list", "watch"}),
		rule("", []string{"pods/log"}, []string{"get"}),
		rule("", []string{"pods/portforward"}, []string{"get", "create"}),
		rule("apps", []string{"replicasets"}, []string{"patch"}),
		rule("", []string{"pods"}, []string{"patch"}),
		rule("coordination.k8s.io", []string{"leases"}, []string{"get", "create", "update", "delete"}),
	}
}
