package canary

import (
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/canary/compare"
)

const (
	// minEarlyRequests is how many requests the candidate must have received
	// before failures among them can be clear: two out of two are an accident.
	minEarlyRequests = 10
	// defaultMinRunningRequests is how many requests the running release must
	// have received to be representative.
	defaultMinRunningRequests = 20
	// minLatencyDifference is the difference below which latencies are the same
	// to users. A service that responds in half a millisecond is easily "50 %
	// slower" on a busier node.
	minLatencyDifference = 5 * time.Millisecond
)

// finding is the result of one gate so far.
type finding struct {
	gate     string
	verdict  delivery.Verdict
	evidence string
	blocking bool // if unavailable: it stops the canary unless no_traffic accepts it
}

// observation is what one observation found.
type observation struct {
	findings    []finding
	progress    string
	failedCheck string // what could not be checked
}

func (v *observation) add(f ...finding) { v.findings = append(v.findings, f...) }

func replicasFailed(why string) observation {
	return observation{findings: []finding{{gate: "replicas", verdict: delivery.Failed, evidence: why}}}
}

func (v observation) failed() bool { return len(v.byVerdict(delivery.Failed)) > 0 }

func (v observation) byVerdict(verdict delivery.Verdict) []finding {
	var found []finding
	for _, f := range v.findings {
		if f.verdict == verdict {
			found = append(found, f)
		}
	}
	return found
}

func (v observation) gateResults(name string) []delivery.GateResult {
	var all []delivery.GateResult
	for _, f := range v.findings {
		all = append(all, delivery.GateResult{Gate: name + ": " + f.gate, Verdict: f.verdict, Evidence: f.evidence})
	}
	return all
}

// conclude returns what the last observation means: nil, or why the canary ends
// here.
func (b *stepAnalysis) conclude(v observation) error {
	if bad := v.byVerdict(delivery.Failed); len(bad) > 0 {
		return fault.New(fault.Failed, "%s: %s", b.name, joinEvidence(bad, true)).
			Hint("%s keeps serving traffic; see the logs of %s", b.running, b.request.ID)
	}
	var scarce []finding
	for _, f := range v.byVerdict(delivery.Unavailable) {
		if f.blocking && b.params.NoTraffic != step.AcceptNoTraffic {
			scarce = append(scarce, f)
		}
	}
	if len(scarce) == 0 {
		return nil
	}
	return fault.New(fault.Unavailable, "%s: %s", b.name, joinEvidence(scarce, false)).
		Hint("increase the bake time of the step, lower min_requests, or set no_traffic: accept")
}

func joinEvidence(findings []finding, named bool) string {
	var words []string
	for _, f := range findings {
		if named {
			words = append(words, f.gate+": "+f.evidence)
		} else {
			words = append(words, f.evidence)
		}
	}
	return strings.Join(words, "; ")
}

// analyze compares the two samples. Before the end only what is clearly worse is
// a finding, by a far stricter level. That may be so with few requests too;
// nothing else can be concluded from few.
func (b *stepAnalysis) analyze(candidate, running port.Sample, last bool) []finding {
	scarce, enough := b.sufficient(candidate, running)
	if last && enough {
		end := b.alpha.Final()
		return []finding{b.errorRate(candidate, running, end), b.latency(candidate, running, end)}
	}
	found := b.earlyFailures(candidate, running, enough)
	if last && len(found) == 0 {
		return []finding{scarce}
	}
	return found
}

func (b *stepAnalysis) earlyFailures(candidate, running port.Sample, enough bool) []finding {
	if candidate.Requests < minEarlyRequests || running.Requests < b.minRunningRequests() {
		return nil
	}
	level, due := b.alpha.Interim(candidate.Requests)
	if !due {
		return nil
	}
	all := []finding{b.errorRate(candidate, running, level)}
	if enough {
		all = append(all, b.latency(candidate, running, level))
	}
	return observation{findings: all}.byVerdict(delivery.Failed)
}

// minRunningRequests is how many requests the running release must have received.
func (b *stepAnalysis) minRunningRequests() int64 {
	return min(b.params.MinRequests, defaultMinRunningRequests)
}

// sufficient reports whether both samples are large enough, or returns what is
// missing.
func (b *stepAnalysis) sufficient(candidate, running port.Sample) (finding, bool) {
	f := finding{gate: "traffic", verdict: delivery.Unavailable, blocking: true}
	since := b.Clock.Now().Sub(b.start).Round(time.Second)
	switch {
	case candidate.Requests == 0:
		f.evidence = fmt.Sprintf("no traffic reached the canary in %s at %d %%", since, b.weight)
	case candidate.Requests < b.params.MinRequests:
		f.evidence = fmt.Sprintf("not enough samples: %s of %s in %s at %d %%", formatCount(candidate.Requests), formatCount(b.params.MinRequests), since, b.weight)
	case running.Requests < b.minRunningRequests():
		f.evidence = fmt.Sprintf("not enough samples to compare with: %s got %s of %s in %s", b.running, formatCount(running.Requests), formatCount(b.minRunningRequests()), since)
	default:
		return finding{}, true
	}
	return f, false
}

func (b *stepAnalysis) errorRate(candidate, running port.Sample, level float64) finding {
	c, r := compare.Count{Failed: candidate.Errors, Total: candidate.Requests}, compare.Count{Failed: running.Errors, Total: running.Requests}
	chance := compare.RatePValue(c, r, b.params.ErrorMargin)
	f := finding{gate: "error rate", verdict: delivery.Passed}
	f.evidence = fmt.Sprintf("candidate %s, %s %s: ", formatShare(c, " failed"), b.running, formatShare(r, ""))
	margin := fmt.Sprintf("worse by more than %.3g %%", 100*b.params.ErrorMargin)
	if chance < level {
		f.verdict = delivery.Failed
		f.evidence += margin + " with " + formatConfidence(chance)
		return f
	}
	f.evidence += "not clearly " + margin
	return f
}

func (b *stepAnalysis) latency(candidate, running port.Sample, level float64) finding {
	f := finding{gate: "latency", verdict: delivery.Passed}
	s, err := compare.Latency(candidate.Latency, running.Latency)
	if err != nil {
		// With a configured margin this blocks; otherwise the error rate
		// suffices.
		f.verdict, f.blocking, f.evidence = delivery.Unavailable, b.latencyRequired, err.Error()
		return f
	}
	f.evidence = fmt.Sprintf("p95 is %s, for %s %s: ", formatLatency(s.Candidate), b.running, formatLatency(s.Running))
	margin := fmt.Sprintf("slower by more than %.3g %%", 100*(b.params.LatencyMargin-1))
	if s.PValue < level && s.Slower(b.params.LatencyMargin, minLatencyDifference.Seconds()) {
		f.verdict = delivery.Failed
		f.evidence += margin + ", slower overall with " + formatConfidence(s.PValue)
		return f
	}
	f.evidence += "not clearly " + margin
	return f
}
