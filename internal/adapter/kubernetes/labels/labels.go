// Package labels defines the labels and annotations that Slipway puts on objects in
// a cluster. They are stored there: their strings never change.
package labels

import (
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Manager is the name under which Slipway manages objects (ManagedBy) and their
// fields (server-side apply).
const Manager = "slipway"

// ReplicasManager manages the number of replicas of a workload whose manifest leaves it
// to an autoscaler.
const ReplicasManager = "slipway-replicas"

// Recommended labels of Kubernetes.
const (
	ManagedBy = "app.kubernetes.io/managed-by"
	PartOf    = "app.kubernetes.io/part-of"
	Name      = "app.kubernetes.io/name"
)

// Labels.
const (
	Service     = "slipway.dev/service"
	Environment = "slipway.dev/environment"
	Release     = "slipway.dev/release" // of pods and in selectors; an annotation of everything else
	Record      = "slipway.dev/record"  // of ConfigMaps: which part of the history it holds
)

// Annotations.
const (
	Model       = "slipway.dev/model"
	ModelDigest = "slipway.dev/model-digest"
	KeepName    = "slipway.dev/keep-name"   // set by users: the name gets no hash of the content
	Keys        = "slipway.dev/keys"        // of a Secret: its keys, where its values are not recorded
	Host        = "slipway.dev/host"        // of a Lease: the machine that its holder runs on
	Held        = "slipway.dev/held"        // of a Deployment: the release that is staged
	Fence       = "slipway.dev/fence"       // of a Service: the lease's number and the time of its last switch
	Canary      = "slipway.dev/canary"      // of a Service that exists only while a canary gets requests
	Part        = "slipway.dev/part"        // of a ConfigMap: its place among the parts of a record
	Content     = "slipway.dev/content"     // of a Job: the digest of its content
	Run         = "slipway.dev/run"         // of a Job: the run that started it
	HelmHook    = "slipway.dev/helm-hook"   // of a Job: when Helm would run it
	OnRollback  = "slipway.dev/on-rollback" // of a Job, set by users: RunOnRollback; without it a rollback does not run it
)

// RunOnRollback is the value of the annotation OnRollback.
const RunOnRollback = "run"

// Selector selects all objects of a service in an environment.
func Selector(service string, env delivery.Environment) string {
	return fmt.Sprintf("%s=%s,%s=%s", Service, service, Environment, env)
}

// PodSelector selects the pods of a service. The environment is not among their
// labels, so that a promotion does not change the pod template.
func PodSelector(service string) string { return Service + "=" + service + "," + Release }

// ObjectName returns the name of what is kept in a cluster for an environment: its
// history, and its lease.
func ObjectName(service string, env delivery.Environment) string {
	return "slipway-" + service + "-" + string(env)
}
