package canary

import (
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step/canary/compare"
)

const (
	// leastClear is how many requests the candidate must have got before failures
	// among them can be clear: two out of two are an accident.
	leastClear = 10
	// leastBeside is how many the running release must have got to stand for it.
	leastBeside = 20
	// leastSlower is below what a difference in latency is nothing to users. A
	// service that answers in half a millisecond is easily "50 % slower" on a
	// busier node.
	leastSlower = 5 * time.Millisecond
)

// finding is what one gate would say now.
type finding struct {
	gate     string
	verdict  delivery.Verdict
	evidence string
	weighs   bool // unavailable: it stops the canary unless no_traffic accepts it
}

// view is what one look came to.
type view struct {
	findings []finding
	progress string
	asking   string // what could not be asked
}

func (v *view) add(f ...finding) { v.findings = append(v.findings, f...) }

func lost(why string) view {
	return view{findings: []finding{{gate: "replicas", verdict: delivery.Failed, evidence: why}}}
}

func (v view) worse() bool { return len(v.with(delivery.Failed)) > 0 }

func (v view) with(verdict delivery.Verdict) []finding {
	var found []finding
	for _, f := range v.findings {
		if f.verdict == verdict {
			found = append(found, f)
		}
	}
	return found
}

func (v view) answers(name string) []delivery.GateResult {
	var all []delivery.GateResult
	for _, f := range v.findings {
		all = append(all, delivery.GateResult{Gate: name + ": " + f.gate, Verdict: f.verdict, Evidence: f.evidence})
	}
	return all
}

// conclude is what the last look means: nil, or why the canary ends here.
func (b *bake) conclude(v view) error {
	if bad := v.with(delivery.Failed); len(bad) > 0 {
		return fault.New(fault.Failed, "%s: %s", b.name, sentence(bad, true)).
			Hint("%s goes on serving; see the logs of %s", b.running, b.order.ID)
	}
	var scarce []finding
	for _, f := range v.with(delivery.Unavailable) {
		if f.weighs && b.w.NoTraffic != accept {
			scarce = append(scarce, f)
		}
	}
	if len(scarce) == 0 {
		return nil
	}
	return fault.New(fault.Unavailable, "%s: %s", b.name, sentence(scarce, false)).
		Hint("let the step bake for longer, lower min_requests, or say no_traffic: accept if that is fine")
}

func sentence(findings []finding, named bool) string {
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

// judge holds the two samples against each other. Before the end only what is
// clearly worse is a finding, by a far stricter level. That may be so with few
// requests too; nothing else may be said with few.
func (b *bake) judge(candidate, running port.Sample, last bool) []finding {
	scarce, enough := b.enough(candidate, running)
	if last && enough {
		end := b.looks.Final()
		return []finding{b.rates(candidate, running, end), b.latency(candidate, running, end)}
	}
	found := b.clear(candidate, running, enough)
	if last && len(found) == 0 {
		return []finding{scarce}
	}
	return found
}

func (b *bake) clear(candidate, running port.Sample, enough bool) []finding {
	if candidate.Requests < leastClear || running.Requests < b.beside() {
		return nil
	}
	level, due := b.looks.Interim(candidate.Requests)
	if !due {
		return nil
	}
	all := []finding{b.rates(candidate, running, level)}
	if enough {
		all = append(all, b.latency(candidate, running, level))
	}
	return view{findings: all}.with(delivery.Failed)
}

// beside is how many requests the running release must have got.
func (b *bake) beside() int64 { return min(b.w.MinRequests, leastBeside) }

// enough tells whether both samples can be judged by, or what is missing.
func (b *bake) enough(candidate, running port.Sample) (finding, bool) {
	f := finding{gate: "traffic", verdict: delivery.Unavailable, weighs: true}
	since := b.Clock.Now().Sub(b.begun).Round(time.Second)
	switch {
	case candidate.Requests == 0:
		f.evidence = fmt.Sprintf("no traffic reached the canary in %s at %d %%", since, b.weight)
	case candidate.Requests < b.w.MinRequests:
		f.evidence = fmt.Sprintf("not enough samples: %s of %s in %s at %d %%", number(candidate.Requests), number(b.w.MinRequests), since, b.weight)
	case running.Requests < b.beside():
		f.evidence = fmt.Sprintf("not enough samples to compare with: %s got %s of %s in %s", b.running, number(running.Requests), number(b.beside()), since)
	default:
		return finding{}, true
	}
	return f, false
}

func (b *bake) rates(candidate, running port.Sample, level float64) finding {
	c, r := compare.Count{Failed: candidate.Errors, Total: candidate.Requests}, compare.Count{Failed: running.Errors, Total: running.Requests}
	chance := compare.RatePValue(c, r, b.w.ErrorMargin)
	f := finding{gate: "error rate", verdict: delivery.Passed}
	f.evidence = fmt.Sprintf("candidate %s, %s %s: ", share(c, " failed"), b.running, share(r, ""))
	margin := fmt.Sprintf("worse by more than %.3g %%", 100*b.w.ErrorMargin)
	if chance < level {
		f.verdict = delivery.Failed
		f.evidence += margin + " with " + confidence(chance)
		return f
	}
	f.evidence += "not clearly " + margin
	return f
}

func (b *bake) latency(candidate, running port.Sample, level float64) finding {
	f := finding{gate: "latency", verdict: delivery.Passed}
	s, err := compare.CompareLatency(candidate.Latency, running.Latency)
	if err != nil {
		// Who set a margin wants to know; others are content with the error rate.
		f.verdict, f.weighs, f.evidence = delivery.Unavailable, b.asked, err.Error()
		return f
	}
	f.evidence = fmt.Sprintf("p95 is %s, that of %s %s: ", seconds(s.Candidate), b.running, seconds(s.Running))
	margin := fmt.Sprintf("slower by more than %.3g %%", 100*(b.w.LatencyMargin-1))
	if s.PValue < level && s.Slower(b.w.LatencyMargin, leastSlower.Seconds()) {
		f.verdict = delivery.Failed
		f.evidence += margin + ", and slower at all with " + confidence(s.PValue)
		return f
	}
	f.evidence += "not clearly " + margin
	return f
}
