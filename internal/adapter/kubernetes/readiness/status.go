package readiness

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

func (a *assessor) status() Status {
	v := Status{State: Progressing, Progress: a.progress()}
	if a.enoughReady() && len(a.notCurrent) == 0 && !a.jobFailed() {
		v.State = Ready
		return v
	}
	v.RequeueAfter = a.recheckIn
	for _, t := range a.problems {
		if t.remaining > 0 && t.remaining < noTimeout && (v.RequeueAfter == 0 || t.remaining < v.RequeueAfter) {
			v.RequeueAfter = t.remaining
		}
	}
	if len(a.problems) == 0 || a.problems[0].remaining > 0 {
		return v
	}
	t := a.problems[0]
	v.State, v.RequeueAfter = Failed, 0
	v.Kind, v.Cause, v.Hint, v.Infrastructure = t.kind, t.cause, t.hint, t.infrastructure || t.kind == fault.Unavailable
	if t.log != nil {
		lines, fetched := a.snapshot.Logs[*t.log]
		v.LogTail = lastLines(lines, 10)
		if !fetched {
			v.LogsNeeded = []LogKey{*t.log}
		}
	}
	return v
}

// jobFailed reports whether a Job failed, which no number of ready pods outweighs.
func (a *assessor) jobFailed() bool {
	return slices.ContainsFunc(a.problems, func(t problem) bool { return t.rank == rankJob && t.remaining <= 0 })
}

// enoughReady reports whether every workload has as many ready pods as it needs.
func (a *assessor) enoughReady() bool {
	for name, want := range a.snapshot.MinReady {
		if a.readyPods[name] < want {
			return false
		}
	}
	return true
}

// progress returns one line: the number of ready pods and what the rest is waiting
// for.
func (a *assessor) progress() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(a.snapshot.MinReady)) {
		line := fmt.Sprintf("%d of %d pods ready", min(a.readyPods[name], a.snapshot.MinReady[name]), a.snapshot.MinReady[name])
		if len(a.snapshot.MinReady) > 1 {
			line = clean(name) + ": " + line
		}
		parts = append(parts, line)
	}
	said := []string{strings.Join(parts, ", ")}
	switch {
	case len(a.problems) > 0:
		said = append(said, a.problems[0].cause)
	case !a.enoughReady():
		said = append(said, a.firstUnreadyPod())
	case len(a.notCurrent) > 0:
		said = append(said, a.notCurrent[0])
	}
	return strings.Join(slices.DeleteFunc(said, func(s string) bool { return s == "" }), "; ")
}
