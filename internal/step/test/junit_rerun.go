package test

import "github.com/slipway-cd/slipway/internal/step"

// testKey identifies a test in a report.
type testKey struct{ class, name string }

// testRuns are the runs of one test so far.
type testRuns struct {
	passed, flaky bool               // by the last run
	failures      []*reportedFailure // that stand
}

// reportedFailure is a failure of the report. It is retracted when a later run of
// the same test passes.
type reportedFailure struct {
	step.TestFailure
	retracted bool
}

func (p *junit) fail(f step.TestFailure) *reportedFailure {
	p.listed++
	failure := &reportedFailure{TestFailure: f}
	p.failures = append(p.failures, failure)
	return failure
}

// testEnded counts one <testcase>. Reruns are other elements of the same name:
// gotestsum lists every run with its result; pytest-rerunfailures lists the runs
// that failed without a result, so that a name which pytest repeats is a rerun.
// Elsewhere a test may pass twice under one name, with other parameters.
func (p *junit) testEnded(t *testCase) {
	key := testKey{t.class, t.name}
	runs := p.runs[key]
	if runs == nil {
		runs = &testRuns{}
		p.runs[key] = runs
	}
	switch {
	case t.failed:
		p.testFailed(t, runs)
	case t.skipped:
		p.counts.skipped++
	default:
		p.testPassed(t, runs)
	}
}

func (p *junit) testFailed(t *testCase, runs *testRuns) {
	if runs.flaky || p.pytest && runs.passed {
		p.counts.passed--
	}
	if runs.flaky {
		p.counts.unflake(p.displayName(t))
	}
	runs.passed, runs.flaky = false, false
	f := step.TestFailure{Name: t.name}
	if len(p.failures) < maxFailures { // of more, locations need not be found
		f = t.failure(p.location, p.pytest)
	}
	runs.failures = append(runs.failures, p.fail(f))
}

func (p *junit) testPassed(t *testCase, runs *testRuns) {
	again := p.pytest && runs.passed
	rerun := t.rerun || again || len(runs.failures) > 0
	for _, f := range runs.failures {
		f.retracted = true
	}
	if !again {
		p.counts.passed++
	}
	if rerun && !runs.flaky {
		runs.flaky = true
		p.counts.flake(p.displayName(t))
	}
	runs.passed, runs.failures = true, nil
}

// displayName is the name that the test's framework gives it.
func (p *junit) displayName(t *testCase) string {
	if p.pytest {
		if id := p.location.nodeID(t.class, t.name); id != "" {
			return id
		}
	}
	return t.fullName()
}
