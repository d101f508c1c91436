package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) status() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use: "status", Short: "Show what is deployed, since when, who approved it, and what it replaced", Args: noArgs,
		Long: `Show what is deployed, since when, who approved it, and what it replaced.

It fits on a screen of 24 lines of 80 columns. Texts that do not are cut; --json has
everything.`,
		Example: "  slipway status\n  slipway status --env prod --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.App.Status(cmd.Context(), delivery.Environment(env))
			if err != nil {
				return err
			}
			switch {
			case c.json && env != "":
				c.printJSON(all[0])
			case c.json:
				c.printJSON(all)
			default:
				c.printStatuses(all)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment (default: all)")
	return cmd
}

// printStatuses shows the environments on one screen, each with an equal part of it,
// and once what is quarantined in all of them.
func (c *Command) printStatuses(all []app.Status) {
	if len(all) == 1 {
		c.printLines(c.statusLines(all[0], screenLines))
		return
	}
	lines := screenLines
	var b block
	quarantined := quarantinedLines(&b, all[0].Quarantined).entries
	for i := range all {
		all[i].Quarantined = nil
	}
	if len(quarantined) > 0 {
		lines -= len(quarantined[0])
	}
	shown := min(len(all), lines)
	if len(all) > shown {
		lines--
		shown = lines
	}
	room := lines / shown
	gaps := room > 3
	if gaps {
		room--
	}
	for _, st := range all[:shown] {
		c.printLines(c.statusLines(st, room))
		if gaps {
			fmt.Fprintln(c.Stdout)
		}
	}
	if rest := len(all) - shown; rest > 0 {
		fmt.Fprintf(c.Stdout, "%d more environments: slipway status --env ENV\n", rest)
	}
	for _, entry := range quarantined {
		c.printLines(entry)
	}
}

func (c *Command) printLines(lines []string) {
	for _, line := range lines {
		fmt.Fprintln(c.Stdout, line)
	}
}

// statusLines shows an environment in at most that many lines. The last one says how
// to see everything, if something is not shown.
func (c *Command) statusLines(st app.Status, most int) []string {
	b := block{headline: render.CutLine(headline(st), screenColumns)}
	c.addServing(&b, st)
	c.addEntering(&b, st)
	addHeld(&b, st)
	c.addAttention(&b, st)
	whole := most
	if most > 2 {
		most--
	}
	lines := b.lines(most)
	lines = append(lines, c.historyLines(&b, st.History, most-len(lines))...)
	if b.cut && len(lines) < whole {
		lines = append(lines, labelledLine("…", fmt.Sprintf("all of it: slipway status --env %s --json", st.Environment)))
	}
	return lines
}

// headline names what users get. Between the switch of the traffic and the acceptance,
// and where the records were lost, that is not the recorded release.
func headline(st app.Status) string {
	accepted := cmp.Or(st.Instance, st.Release)
	if st.Release == "" && st.Traffic == "" {
		return fmt.Sprintf("%s  nothing deployed", st.Environment)
	}
	serving, state := st.Release, ""
	if st.Traffic != "" && st.Traffic != accepted {
		serving, state = st.Traffic, "  has the traffic; accepted: "+string(st.Release)
		switch {
		case st.Release == "" && st.InProgress == nil:
			state = "  has the traffic, but is not recorded"
		case st.Release == "":
			state = "  has the traffic, not accepted yet"
		}
	}
	text := fmt.Sprintf("%s  %s  %s%s", st.Environment, serving, st.Health, state)
	if st.Dirty && state == "" {
		text += "  dirty"
	}
	return text
}

// addServing adds what is deployed.
func (c *Command) addServing(b *block, st app.Status) {
	if st.Release != "" || st.InProgress != nil || st.Traffic != "" {
		b.addField(9, "url", st.URL)
	}
	if st.Release == "" {
		return
	}
	commit := st.Commit
	if st.Dirty {
		commit += " (uncommitted changes)"
	}
	b.addField(8, "commit", commit)
	if st.Unsigned {
		b.addField(3, "pending", "no trusted key has signed the record of "+string(st.Release))
	}
	b.addField(3, "image", shortImage(st.Image))
	if st.Instance != "" {
		b.addField(2, "instance", fmt.Sprintf("%s: with the overrides of %s", st.Instance, st.Environment))
	}
	if st.Model != nil {
		text := fmt.Sprintf("%s sha256:%s", st.Model, st.Model.Digest.Short())
		if use := st.ModelUse(); use != "" {
			text += ", " + use
		}
		b.addField(7, "model", text)
	}
	b.addField(6, "since", fmt.Sprintf("%s, by %s", c.formatSince(st.Since), st.By))
	b.addField(4, "replaced", string(st.Replaced))
	b.addField(5, "replicas", countReplicas(st))
}

// shortImage names an image by 12 digits of its digest.
func shortImage(img app.ImageStatus) string {
	return strings.Replace(img.Reference, img.Digest.Hex(), img.Digest.Short()+"…", 1)
}

// countReplicas counts the replicas of what has the traffic.
func countReplicas(st app.Status) string {
	ready, all := st.CountReplicas()
	if all == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d ready", ready, all)
}

// addEntering adds what is about to replace it, and which of the two has the traffic.
func (c *Command) addEntering(b *block, st app.Status) {
	d := st.InProgress
	if d == nil {
		return
	}
	text := fmt.Sprintf("%s (run %s): not accepted yet", d.Release, d.Run)
	b.addField(12, "entering", text)
	if st.Bake != nil {
		text := fmt.Sprintf("until %s", c.formatTime(st.Bake.Until()))
		if left := st.Bake.Until().Sub(c.App.Clock()); left > 0 {
			text += fmt.Sprintf(" (%s left of %s)", render.FormatAge(left), render.FormatAge(st.Bake.Time.D()))
		}
		b.addField(11, "bake", text)
	}
	switch st.Traffic {
	case "":
		b.addField(10, "traffic", "no release has it")
	case d.Instance():
		b.addField(10, "traffic", fmt.Sprintf("%s, which is entering", d.Release))
	default:
		b.addField(10, "traffic", fmt.Sprintf("%s, until %s is ready", st.Traffic, d.Release))
	}
}

// addHeld adds the release that failed and kept the traffic, and how to end that.
func addHeld(b *block, st app.Status) {
	d := st.Held
	if d == nil {
		return
	}
	b.addField(12, "held", fmt.Sprintf("%s (run %s): %s", d.Release, d.Run, d.Reason))
	if st.Traffic == d.Instance() {
		b.addField(11, "traffic", fmt.Sprintf("%s; roll back: `slipway rollback --env %s`", d.Release, d.Environment))
	}
}

// historyLines is the newest part of the history that fits.
func (c *Command) historyLines(b *block, history []delivery.Deployment, most int) []string {
	const maxRows = 5
	rows := min(len(history), most-1, maxRows)
	if rows < 1 {
		return nil
	}
	table := [][]string{{"STARTED", "RELEASE", "STATE", "BY", "REASON"}}
	for _, d := range history[:rows] {
		table = append(table, []string{c.formatDate(d.StartedAt), string(d.Release), string(d.State), render.Cut(d.By, 16), d.Reason})
	}
	lines := render.Table(table, screenColumns)
	for _, line := range lines {
		b.cut = b.cut || strings.HasSuffix(line, "…")
	}
	return lines
}
