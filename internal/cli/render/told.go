package render

import (
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

// told is what the lines of a run have shown, so that nothing is shown twice: the
// evidence of a gate, the cause of a step, the hint of either.
type told struct {
	endings  []ended             // steps that failed, or wait
	evidence map[string][]string // of gates that did not pass, by step
	hints    []string
	notRun   []string // steps that were not run, not shown yet
}

// ended is how a step ended that is the cause of how the run ended.
type ended struct {
	step, text string
	outcome    delivery.Outcome
}

// notRunPrefix begins the text of a step that was left out because of another one.
const notRunPrefix = "not run: "

// gate takes note of a gate's evidence.
func (t *told) gate(e event.Event) {
	if g := e.GateResult; g.Verdict != delivery.Passed && g.Evidence != "" {
		if t.evidence == nil {
			t.evidence = map[string][]string{}
		}
		t.evidence[e.Step] = append(t.evidence[e.Step], g.Evidence)
	}
}

// step takes note of how a step ended, and returns its text without what its gates have
// shown.
func (t *told) step(e event.Event) string {
	if e.Outcome != delivery.OutcomeFailed && e.Outcome != delivery.OutcomeWaiting {
		return e.Text
	}
	t.endings = append(t.endings, ended{e.Step, e.Text, e.Outcome})
	text, log, _ := strings.Cut(strings.TrimPrefix(e.Text, e.Step+": "), delivery.LogHeading)
	for _, evidence := range t.evidence[e.Step] {
		text = withoutEvidence(text, evidence)
	}
	if log != "" {
		text += delivery.LogHeading + log
	}
	return text
}

// withoutEvidence cuts a cause before the evidence that ends it.
func withoutEvidence(text, evidence string) string {
	i := strings.Index(text, evidence)
	if i < 0 {
		return text
	}
	before := strings.LastIndex(text[:i], ": ")
	switch {
	case before < 0:
		return text
	case !strings.Contains(text[:before], " "): // a word alone, such as "investigate"
		return text[:before] + ": see above"
	}
	return text[:before]
}

// run returns the text of how the run ended, with the steps' names in place of the
// causes that they have shown.
func (t *told) run(e event.Event) string {
	text := e.Text
	for _, s := range t.endings {
		if s.text == "" {
			continue
		}
		short := s.step + " failed"
		if s.outcome == delivery.OutcomeWaiting {
			short = ""
		}
		if named := s.step + ": " + s.text; strings.Contains(text, named) {
			text = strings.Replace(text, named, short, 1)
		} else {
			text = strings.Replace(text, s.text, short, 1)
		}
		text = strings.Replace(text, "; the rollback failed: "+short, ", and so did the rollback", 1)
	}
	return text
}

// hint returns a hint unless it was shown.
func (t *told) hint(text string) string {
	if slices.Contains(t.hints, text) {
		return ""
	}
	t.hints = append(t.hints, text)
	return hint(text)
}

// pending returns the line of the steps that were not run, or "".
func (t *told) pending() string {
	names := strings.Join(t.notRun, ", ")
	t.notRun = nil
	return names
}
