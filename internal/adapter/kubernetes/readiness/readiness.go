// Package readiness determines from a snapshot of a cluster whether a release is
// becoming ready, is ready, or can no longer become ready, and why. It is pure: it
// makes no calls, keeps no state, and takes the time from the snapshot.
//
// It fails early on permanent problems (an image that does not exist) and waits for
// transient ones (a registry that is down), each for as long as Timeouts allows.
package readiness

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// State is the state of a release.
type State string

// The states of a release.
const (
	Progressing State = "progressing" // not ready yet
	Ready       State = "ready"
	Failed      State = "failed" // can no longer become ready
)

// Snapshot is the known state of a release at one moment. Assess does not modify it,
// so it may point into an informer's cache.
type Snapshot struct {
	Release delivery.ReleaseID

	// Held reports whether the rollout is on hold: the new pods run alongside the old
	// ones and the Deployments are kept from completing, so only the pods are
	// assessed. Otherwise every object must be Current as well.
	Held bool

	// MinReady is the number of ready pods of the release that each workload needs,
	// by workload name. Workloads that are not listed need none.
	MinReady map[string]int

	// Deadline is how long a pod's init containers may run, by workload name: its
	// progressDeadlineSeconds. Default: the API's ten minutes.
	Deadline map[string]time.Duration

	Workloads   []*unstructured.Unstructured // live Deployments, StatefulSets, DaemonSets and Jobs of the release
	Objects     []*unstructured.Unstructured // other live objects of the release
	Pods        []corev1.Pod                 // of the release; pods with another release's label are ignored
	ReplicaSets []appsv1.ReplicaSet          // of the workloads, all revisions
	OldPods     []corev1.Pod                 // of earlier releases; they never count as ready

	// Events are the warnings of the namespace, for all objects. Reports of
	// autoscalers are no warnings and are included: the reasons TriggeredScaleUp,
	// NotTriggerScaleUp and Nominated.
	Events []corev1.Event

	Nodes []corev1.Node       // empty: unknown
	Logs  map[LogKey][]string // last lines of the logs in Status.LogsNeeded; an empty log has no lines

	Startups Startups // nil: nothing is known

	// Now should be the cluster's time, as in the Date header of the API server's
	// responses: it is compared with timestamps that nodes wrote.
	Now        time.Time
	PhaseStart time.Time // by the same clock as Now

	Timeouts Timeouts
}

// LogKey identifies the log of a container: of its previous instance if Previous is
// set.
type LogKey struct {
	Namespace, Pod, Container string
	Previous                  bool
}

// Startups are the times at which containers were first seen to have passed their
// startup probe: the API reports that they have, and not when.
type Startups map[instance]time.Time

// instance is one start of a container of a pod.
type instance struct {
	pod       types.UID
	container string
	restarts  int32
}

// Status is the assessment of a release. All strings are one line of printable text.
type Status struct {
	State      State
	Kind       fault.Kind // of the cause, if Failed
	Cause      string     // why it Failed
	Hint       string     // what to do about the cause; may be empty
	LogTail    []string   // last log lines of the container that is the cause, oldest first
	Progress   string     // where it stands: "2 of 3 pods ready; pod x: waiting for a node"
	LogsNeeded []LogKey   // fetch these and assess again before relying on Failed
	// Infrastructure reports that the cluster or the namespace is the cause, if Failed:
	// its capacity, its limits, its rights, or an object that the release does not bring.
	// It is no verdict on the release, which may run as it is once that has changed.
	Infrastructure bool
	RequeueAfter   time.Duration // assess again after this, even if nothing changed; 0: not needed
}

// Timeouts are how long transient problems may last. Zero fields have the defaults
// listed here.
type Timeouts struct {
	MaxCrashes  int           // 2: terminations of a container until it counts as a crash loop
	Config      time.Duration // 5 s: a ConfigMap, a Secret or one of its keys is missing
	Mount       time.Duration // 20 s: the same for volumes
	Attach      time.Duration // 2 min: volumes and the pod network
	Pull        time.Duration // 60 s: the registry is unreachable or failing
	Start       time.Duration // 30 s: container runtime errors
	Schedule    time.Duration // 60 s: no node has capacity
	NoNodeFits  time.Duration // 20 s: no node is large enough even when empty, and none is being added
	ScaleUp     time.Duration // 10 min: no node has capacity, and one is being added
	Ready       time.Duration // a container is running and not ready; zero: derived from its probe and from ready pods
	Admission   time.Duration // 30 s: pods can't be created for a transient reason
	Quota       time.Duration // 30 s: the quota is used up, and old pods are terminating
	Termination time.Duration // 2 min: a pod exists past its grace period
}

func (p Timeouts) withDefaults() Timeouts {
	if p.MaxCrashes <= 0 {
		p.MaxCrashes = 2
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&p.Config, 5 * time.Second},
		{&p.Mount, 20 * time.Second},
		{&p.Attach, 2 * time.Minute},
		{&p.Pull, time.Minute},
		{&p.Start, 30 * time.Second},
		{&p.Schedule, time.Minute},
		{&p.NoNodeFits, 20 * time.Second},
		{&p.ScaleUp, 10 * time.Minute},
		{&p.Admission, 30 * time.Second},
		{&p.Quota, 30 * time.Second},
		{&p.Termination, 2 * time.Minute},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return p
}
