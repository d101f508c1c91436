package managedfields

import (
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// Kind is what a manager of fields is.
type Kind int

// Kinds of managers. Everything that depends on who owns a field is decided by them.
const (
	Unknown    Kind = iota // a script, or a program that is not in the lists below
	Slipway                // under any of its names
	Tool                   // does nothing until a person or a pipeline runs it again
	Controller             // changes objects by itself, and would take its fields back
)

// ControllerManager scales workloads for their autoscalers, and writes their status.
const ControllerManager = "kube-controller-manager"

// controllerPattern matches the names of programs that change objects by themselves:
// those of Kubernetes, and what operators are usually called.
var controllerPattern = regexp.MustCompile(`(?i)controller|operator|autoscaler|scheduler|injector|webhook|^manager$|^kube-|kubelet|^vpa|^keda|istio|linkerd|cert-manager|reloader|flagger|rollouts|velero|crossplane|kyverno|gatekeeper`)

// KindOf returns what a manager is by its name. Plugins of kubectl are tools even if
// they are called like a controller.
func KindOf(manager string) Kind {
	switch {
	case manager == labels.Manager, strings.HasPrefix(manager, labels.Manager+"-"):
		return Slipway
	case manager == "kubectl", strings.HasPrefix(manager, "kubectl-"), strings.EqualFold(manager, "helm"), manager == "before-first-apply":
		return Tool
	case controllerPattern.MatchString(manager):
		return Controller
	}
	return Unknown
}

// IsTool reports whether a manager is a tool that a person or a pipeline runs. Only such
// a one gives its fields up without being asked: a program that is unknown may be a
// controller.
func IsTool(manager string) bool { return KindOf(manager) == Tool }

// IsScaler reports whether a manager only scales: its number of replicas is not
// configuration.
func IsScaler(manager string) bool {
	return manager == labels.ReplicasManager || manager == ControllerManager || strings.HasPrefix(manager, "keda")
}
