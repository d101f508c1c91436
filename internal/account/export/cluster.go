package export

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
)

// ClusterFile is the manifest of what is in clusters, beside the other files.
const ClusterFile = "kubernetes.yaml"

// Cluster is that manifest; ok is false if the set has nothing in clusters.
func Cluster(s account.Set, command string) (f File, ok bool) {
	var documents []string
	for _, r := range s.Resources {
		rights, is := r.Spec.(account.NamespaceRights)
		if !is {
			continue
		}
		meta := Object{{"name", account.NamespaceRole}, {"namespace", rights.Namespace}, {"labels", Object{{"app.kubernetes.io/managed-by", "slipway"}}}}
		group := []any{Object{{"apiGroup", rbac}, {"kind", "Group"}, {"name", rights.Group}}}
		documents = append(documents,
			"# In the cluster "+rights.Cluster+": what "+rights.Group+" may do in "+rights.Namespace+".\n"+
				YAML(Object{{"apiVersion", rbac + "/v1"}, {"kind", "Role"}, {"metadata", meta}, {"rules", rules()}}),
			YAML(Object{{"apiVersion", rbac + "/v1"}, {"kind", "RoleBinding"}, {"metadata", meta},
				{"roleRef", Object{{"apiGroup", rbac}, {"kind", "Role"}, {"name", account.NamespaceRole}}}, {"subjects", group}}))
	}
	header := "# Written by `" + command + "`. Apply it with kubectl and an administrator's rights\n# in the clusters that the comments name, where the namespaces are. The reasons are in\n# Slipway's docs/kubernetes-role.yaml.\n"
	return File{ClusterFile, header + strings.Join(documents, "---\n")}, len(documents) > 0
}

const rbac = "rbac.authorization.k8s.io"

func rules() (all []any) {
	for _, r := range account.NamespaceRules() {
		all = append(all, Object{{"apiGroups", Plain(r.APIGroups)}, {"resources", Plain(r.Resources)}, {"verbs", Plain(r.Verbs)}})
	}
	return all
}
