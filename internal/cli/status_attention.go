package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// addAttention adds what a person should look at.
func (c *Command) addAttention(b *block, st app.Status) {
	waiting, unfinished := attention{label: "waiting", kind: "waiting run"}, attention{label: "runs", kind: "unfinished run"}
	for _, w := range st.Waiting {
		waiting.entries = append(waiting.entries, c.waitingLines(b, w))
	}
	for _, r := range st.Runs {
		unfinished.entries = append(unfinished.entries, c.unfinishedLines(b, r))
	}
	drift := c.driftEntries(b, st)
	replicas, notes := attention{label: "replica", kind: "failing replica"}, attention{label: "note", kind: "note"}
	for _, r := range st.FailedReplicas() {
		text := fmt.Sprintf("%s %s, %d restarts: %s", r.Name, r.State, r.Restarts, r.Cause)
		replicas.entries = append(replicas.entries, b.labelled("replica", text, maxFieldLines))
	}
	for _, n := range st.Notes {
		notes.entries = append(notes.entries, b.labelled("note", n, maxFieldLines))
	}
	b.groups = []attention{waiting, unfinished, drift, replicas, notes, quarantinedLines(b, st.Quarantined)}
}

// waitingLines shows what a run waits for, and how to continue it.
func (c *Command) waitingLines(b *block, w app.WaitingRun) []string {
	lines := b.labelled("waiting", fmt.Sprintf("run %s: %s", w.Run, w.Cause), maxFieldLines)
	about := fmt.Sprintf("commit %s, by %s", delivery.Commit{SHA: w.Commit}.Short(), w.By)
	if !w.Since.IsZero() {
		about += ", since " + c.formatSince(w.Since)
	}
	lines = append(lines, b.labelled("", about, 1)...)
	if o := w.OvertakenBy; o != nil {
		text := fmt.Sprintf("overtaken by run %s (commit %s, by %s), deployed since %s", o.Run, delivery.Commit{SHA: o.Commit}.Short(), o.By, c.formatTime(o.Since))
		lines = append(lines, b.labelled("", text, maxFieldLines)...)
	}
	if w.Hint != "" {
		lines = append(lines, b.labelled("", "-> "+w.Hint, maxFieldLines+1)...)
	}
	return lines
}

// unfinishedLines shows where a run stands, and how to finish one that was killed.
func (c *Command) unfinishedLines(b *block, r app.UnfinishedRun) []string {
	text := fmt.Sprintf("run %s", r.Run)
	if r.Step != "" {
		text += " at " + r.Step
	}
	text += fmt.Sprintf(", since %s, by %s", c.formatSince(r.Since), r.By)
	if r.State == app.RunRemote {
		text += ", on " + r.Host
	}
	text += c.describeOwner(r.Owner)
	lines := b.labelled(string(r.State), text, maxFieldLines)
	if r.Hint != "" {
		lines = append(lines, b.labelled("", "-> "+r.Hint, maxFieldLines)...)
	}
	return lines
}

// describeOwner names a run's owner on another machine, and when it was last heard of.
func (c *Command) describeOwner(o *app.RunOwner) string {
	switch {
	case o == nil || o.Here:
		return ""
	case o.Alive:
		return ", " + o.Holder
	case o.LastBeat.IsZero():
		return fmt.Sprintf(", left by %s", o.Holder)
	}
	return fmt.Sprintf(", %s silent for %s", o.Holder, render.FormatAge(c.App.Clock().Sub(o.LastBeat)))
}

// quarantinedLines shows the quarantines, which hold in all environments, in one entry.
func quarantinedLines(b *block, all []delivery.Quarantine) attention {
	const maxNames = 3
	out := attention{label: "quarantine", kind: "quarantine"}
	var names []string
	for _, q := range all {
		if name := q.Subject(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var text string
	switch {
	case len(names) == 0:
		return out
	case len(names) == 1:
		text = names[0] + ": " + all[0].Reason
	case len(names) <= maxNames:
		text = strings.Join(names, ", ") + ": see slipway releases"
	default:
		text = fmt.Sprintf("%s and %d more: see slipway releases", strings.Join(names[:maxNames-1], ", "), len(names)-maxNames+1)
	}
	out.entries = [][]string{b.labelled("quarantine", text, maxFieldLines)}
	return out
}
