// Package readiness says from a snapshot of a cluster whether a release is
// becoming ready, is ready, or can't become ready any more, and why. It is
// pure: it asks nobody, keeps nothing, and takes the time from the snapshot.
//
// It fails early on what can't heal (an image that is not there) and waits for
// what can (a registry that is down), each for as long as Patience says.
package readiness

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Label is what every pod of a release carries, with the release's name.
const Label = "slipway.dev/release"

// State is how far a release has come.
type State string

// The states.
const (
	Progressing State = "progressing" // not ready, and it still can be
	Ready       State = "ready"
	Failed      State = "doomed" // it can't become ready any more
)

// Snapshot is what there is to know about a release at one moment. Nothing in
// it is changed, so it may point into an informer's cache.
type Snapshot struct {
	Release delivery.ReleaseID

	// Held: the new pods stand beside the old ones and the Deployments are kept
	// from completing, so only the pods are judged. Otherwise every object must
	// be Current too.
	Held bool

	// MinReady is how many ready pods of the release each workload needs, by the
	// workload's name. A workload that is not named needs none.
	MinReady map[string]int

	Workloads   []*unstructured.Unstructured // live Deployments, StatefulSets, DaemonSets and Jobs of the release
	Objects     []*unstructured.Unstructured // other live objects of the release
	Pods        []corev1.Pod                 // of the release; one that carries another's label is passed over
	ReplicaSets []appsv1.ReplicaSet          // of the workloads, all revisions
	OldPods     []corev1.Pod                 // of earlier releases: they never count as ready

	// Events are the warnings of the namespace, about anything in it. What
	// autoscalers say is no warning and is wanted too: the reasons
	// TriggeredScaleUp, NotTriggerScaleUp and Nominated.
	Events []corev1.Event

	Nodes []corev1.Node       // empty: not known
	Logs  map[LogKey][]string // last lines, as Verdict.LogsNeeded asked for; empty lines: there are none

	// Now should be the cluster's time (an answer of its API server has it in
	// the Date header): it is held against times that nodes wrote down.
	Now        time.Time
	PhaseStart time.Time // when this phase began, by the same clock as Now

	Timeouts Timeouts
}

// LogKey names the log of one container: of its last instance but one when
// Previous is set.
type LogKey struct {
	Namespace, Pod, Container string
	Previous                  bool
}

// Status is what to think of a release. All its strings are one line of
// printable text.
type Status struct {
	State        State
	Kind         fault.Kind    // of the cause, when Doomed
	Cause        string        // why it is Doomed
	Hint         string        // what to do about the cause; may be empty
	LogTail      []string      // last lines of the container that is the cause, oldest first
	Progress     string        // where it stands: "2 of 3 pods ready; pod x: waiting for a node"
	LogsNeeded   []LogKey      // fetch these and judge again before believing Doomed
	RequeueAfter time.Duration // judge again after this, though nothing changed; 0: no need
}

// Timeouts is how long trouble that can heal may last. Zero fields have the
// values beside them.
type Timeouts struct {
	MaxCrashes  int           // 2: times that a container may end, the last of them included
	Config      time.Duration // 5 s: a ConfigMap, a Secret or a key of it is not there
	Mount       time.Duration // 20 s: the same, to mount
	Attach      time.Duration // 2 min: volumes and the pod's network
	Pull        time.Duration // 60 s: the registry does not answer, or has trouble
	Start       time.Duration // 30 s: the container runtime refuses
	Schedule    time.Duration // 60 s: no node has room
	NoNodeFits  time.Duration // 20 s: no node is big enough even when empty, and nobody adds one
	ScaleUp     time.Duration // 10 min: no node has room, and one is being added
	Ready       time.Duration // a container runs and is not ready; zero: by its probe, and by what ready pods took
	Admission   time.Duration // 30 s: pods can't be created for a reason that may pass
	Quota       time.Duration // 30 s: the quota is used up, and old pods are about to go
	Termination time.Duration // 2 min: a pod is still there after its grace has ended
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
