package readiness

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// End is how a container of a pod ended before it was started again.
type End struct {
	Cause          string    // one line
	At             time.Time // by the clock of its node
	Log            LogKey    // that ends with it
	Infrastructure bool      // the node lost it, as when it restarts
}

// LastEnd returns how a container of the pod ended last; ok is false if none was
// restarted. Events are the warnings of the namespace; of logs, the one of End.Log is
// used.
func LastEnd(p corev1.Pod, events []corev1.Event, logs map[LogKey][]string) (end End, ok bool) {
	a := &assessor{snapshot: Snapshot{Events: events, Logs: logs, Pods: []corev1.Pod{p}}}
	a.index()
	for _, b := range containerStates(&p) {
		state := b.status.LastTerminationState.Terminated
		if state == nil || b.init && !b.sidecar || ok && !state.FinishedAt.After(end.At) {
			continue
		}
		ok = true
		end = End{
			At: state.FinishedAt.Time, Infrastructure: isLost(*state),
			Log: LogKey{Namespace: p.Namespace, Pod: p.Name, Container: b.spec.Name, Previous: true},
		}
		end.Cause = a.describeEnd(b, *state, end.Log)
	}
	return end, ok
}

func (a *assessor) describeEnd(b containerState, state corev1.ContainerStateTerminated, key LogKey) string {
	if state.Reason == "OOMKilled" {
		cause, _ := describeOOM(b, state)
		return cause
	}
	if killer := a.killingProbe(b, state); killer != "" {
		return b.String() + " was killed by its " + killer
	}
	cause, _ := a.explainExit(b, crashInfo{state: state, count: 1, previous: true}, key)
	return cmp.Or(cause, b.String()+" ended")
}

// isLost reports whether the container ended with its node, or with the node's records
// of it: how it ended is unknown.
func isLost(state corev1.ContainerStateTerminated) bool {
	return state.Reason == "ContainerStatusUnknown" || state.Reason == "Unknown" && state.ExitCode == 255
}
