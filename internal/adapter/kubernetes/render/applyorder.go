package render

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// sortForApply orders the objects so that each comes after what it depends on: a
// namespace before its objects, a ServiceAccount and configuration before their pods.
func (r *renderer) sortForApply() error {
	slices.SortStableFunc(r.objects, func(a, b object) int { return cmp.Compare(applyRank(a.groupKind()), applyRank(b.groupKind())) })
	return nil
}

// applyRank returns the position of a kind in the apply order. Built-in kinds are
// recognized by name within their own groups; all others come last, after the
// workloads that may be their controllers.
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

// rankInList returns first plus the index of kind in kinds, or other.
func rankInList(kind string, first, other int, kinds ...string) int {
	if i := slices.Index(kinds, kind); i >= 0 {
		return first + i
	}
	return other
}
