//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"
)

// Runs of several machines for one environment happen one after another, in the order in
// which they were started. A run for another environment does not wait for them.
func TestState_Queue(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, driver string) {
		s := newStateProject(t, driver)
		s.addEnvironment("staging", "")
		var jobs []*started
		var beside *started
		for i := range 3 {
			s.edit("slipway.yaml", fmt.Sprintf("ROUND: \"%d\"", i), fmt.Sprintf("ROUND: \"%d\"", i+1))
			s.commit("round")
			job := s.start("run", "--env", "prod", "--json")
			jobs = append(jobs, job)
			if i == 0 {
				job.waitForStep("build")
				beside = s.start("run", "--env", "staging", "--json")
			} else if _, ok := job.waitForEvent(ofKind("run.queued")); !ok {
				t.Fatalf("job %d did not queue:\n%s", i, job.wait())
			}
		}
		ended := s.wantHandOvers(jobs)
		other := beside.wait().wantRun(0, "deployed")
		if begun := other.event("run.started").Time; begun.After(ended[0]) {
			t.Errorf("the run for staging began at %s, after the first one for prod had ended, at %s\n%s", begun, ended[0], other)
		}
	})
}

// maxHandOver is how long a run may wait after the one before it has ended: it looks
// every half second.
const maxHandOver = 5 * time.Second

// wantHandOvers checks that each run began soon after the one before it, and not before
// that had ended. It returns when they ended.
func (s *stateProject) wantHandOvers(jobs []*started) (ended []time.Time) {
	s.t.Helper()
	for i, job := range jobs {
		r := job.wait().wantRun(0, "deployed")
		if i > 0 {
			handOver := r.event("run.started").Time.Sub(ended[i-1])
			s.t.Logf("hand-over %d: %s", i, handOver.Round(time.Millisecond))
			if handOver < 0 || handOver > maxHandOver {
				s.t.Errorf("run %d began %s after the one before had ended, want at most %s\n%s", i, handOver, maxHandOver, r)
			}
		}
		ended = append(ended, r.event("run.finished").Time)
	}
	s.requireServing("tiny", jobs[len(jobs)-1].wait().report.Release)
	return ended
}

// event returns the first event of the kind.
func (r result) event(kind string) runEvent {
	r.p.t.Helper()
	for _, e := range r.events {
		if e.Kind == kind {
			return e
		}
	}
	r.p.t.Fatalf("no event %s\n%s", kind, r)
	return runEvent{}
}
