package render

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// sortForApply puts first what others need to be there: an object in a namespace needs
// the namespace, a pod its ServiceAccount and configuration.
func (r *renderer) sortForApply() error {
	slices.SortStableFunc(r.objects, func(a, b object) int { return cmp.Compare(applyRank(a.groupKind()), applyRank(b.groupKind())) })
	return nil
}

// applyRank is a kind's turn. Kinds of Kubernetes are told by name within their own
// groups; those of others come last, after what may be their controller.
func applyRank(k schema.GroupKind) int {
	const last = 100
	switch k.Group {
	case "":
		return coreRank(k.Kind, last)
	case "apiextensions.k8s.io":
		return 1
	case "scheduling.k8s.io", "node.k8s.io":
		return 2
	case "rbac.authorization.k8s.io":
		return rankInList(k.Kind, 11, last, "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
	case "storage.k8s.io":
		return 30
	case "apps", "batch":
		return rankInList(k.Kind, 51, last, "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "Job", "CronJob")
	case "autoscaling", "policy", "keda.sh":
		return 70
	case "networking.k8s.io":
		return rankInList(k.Kind, 3, 80, "NetworkPolicy")
	case "gateway.networking.k8s.io":
		return 80
	case "admissionregistration.k8s.io", "apiregistration.k8s.io":
		return last + 1
	}
	return last
}

func coreRank(kind string, last int) int {
	switch kind {
	case "Namespace":
		return 0
	case "ResourceQuota", "LimitRange":
		return 4
	case "ServiceAccount":
		return 10
	case "ConfigMap", "Secret":
		return 20
	case "PersistentVolume":
		return 31
	case "PersistentVolumeClaim":
		return 32
	case "Service", "Endpoints":
		return 40
	case "Pod", "ReplicationController":
		return 50
	}
	return last
}

// rankInList is first plus the kind's place in the list, or other.
func rankInList(kind string, first, other int, kinds ...string) int {
	if i := slices.Index(kinds, kind); i >= 0 {
		return first + i
	}
	return other
}
