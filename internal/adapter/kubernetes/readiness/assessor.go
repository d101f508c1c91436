package readiness

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/fault"
)

// noTimeout is the timeout of problems that the cluster resolves by itself; only the
// caller's deadline ends the wait.
const noTimeout = time.Duration(1<<63 - 1)

// causeRank orders problems: the lowest is closest to the root cause.
type causeRank int

const (
	rankAdmission causeRank = iota
	rankScheduling
	rankConfig
	rankImagePull
	rankCrash
	rankProbe
	rankJob
	rankObject
	rankTermination
)

// problem is something that keeps the release from becoming ready.
type problem struct {
	rank        causeRank
	kind        fault.Kind
	cause, hint string
	remaining   time.Duration // how long it may still last; <= 0: permanent
	log         *LogKey       // the log that explains the cause

	infrastructure bool // see Status.Infrastructure
}

type assessor struct {
	snapshot     Snapshot
	timeouts     Timeouts
	pods         []*corev1.Pod                    // of the release and not being deleted, sorted by name
	owners       map[types.UID]*appsv1.ReplicaSet // ReplicaSets by UID
	readyPods    map[string]int                   // ready pods of the release by workload
	readyTimes   map[string]time.Duration         // see measureReadyTimes
	eventsByUID  map[types.UID][]*corev1.Event
	eventsByName map[string][]*corev1.Event // events without a UID, by kind and name
	problems     []problem
	notCurrent   []string      // descriptions of what is not Current yet
	recheckIn    time.Duration // until something may become a problem; 0: nothing
}

func (a *assessor) isOfRelease(p *corev1.Pod) bool {
	return p.Labels[labels.Release] == string(a.snapshot.Release)
}

// addProblem records a problem that may last for timeout and has lasted for age.
func (a *assessor) addProblem(t problem, timeout, age time.Duration) {
	t.remaining = noTimeout
	if timeout < noTimeout {
		t.remaining = timeout - age
	}
	a.problems = append(a.problems, t)
}

// elapsed returns how long something has lasted that began at start, by a clock of
// the cluster. It never exceeds the phase: neither a node whose clock is slow nor
// leftovers of an earlier attempt may make a new release look old.
func (a *assessor) elapsed(start time.Time) time.Duration {
	if !start.IsZero() {
		return min(a.phaseElapsed(), max(0, a.snapshot.Now.Sub(start)))
	}
	if p := a.phaseElapsed(); p < noTimeout {
		return p
	}
	return 0
}

// phaseElapsed returns how long this phase has lasted, or noTimeout if its start is
// unknown.
func (a *assessor) phaseElapsed() time.Duration {
	if a.snapshot.PhaseStart.IsZero() {
		return noTimeout
	}
	return max(0, a.snapshot.Now.Sub(a.snapshot.PhaseStart))
}

// recheckAfter lets the release be assessed again after d, or earlier.
func (a *assessor) recheckAfter(d time.Duration) {
	if a.recheckIn == 0 || d < a.recheckIn {
		a.recheckIn = d
	}
}
