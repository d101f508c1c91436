package readiness

import (
	"cmp"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
)

// defaultDeadline is the API's default of progressDeadlineSeconds.
const defaultDeadline = 10 * time.Minute

// assessInitContainer assesses an init container that runs. It may wait for a database
// or load a model, and the API has no limit of its own for it: the limit is the time in
// which its workload has to make progress.
func (a *assessor) assessInitContainer(b containerState) {
	run := b.status.State.Running
	if run == nil || !b.init || b.sidecar || ownedByJob(b.pod) {
		return
	}
	age := a.elapsed(run.StartedAt.Time)
	t := problem{rank: rankProbe, kind: fault.Failed, log: &LogKey{Namespace: b.pod.Namespace, Pod: b.pod.Name, Container: b.spec.Name}}
	t.cause = joinNonEmpty(": ", fmt.Sprintf("%s has not ended after %s", b, formatDuration(age)), errorLine(a.snapshot.Logs[*t.log]))
	t.hint = "check its log and what it waits for; the time it may take is progressDeadlineSeconds of its workload"
	a.addProblem(t, cmp.Or(a.snapshot.Deadline[a.workload(b.pod)], defaultDeadline), age)
}
