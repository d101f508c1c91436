package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) status() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use: "status", Short: "Show what is deployed, since when, who approved it, and what it replaced", Args: noArgs,
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
				for _, st := range all {
					c.printStatus(st)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment (default: all)")
	return cmd
}

func (c *Command) printStatus(st app.Status) {
	out := c.Stdout
	if st.Release == "" {
		fmt.Fprintf(out, "%s  nothing deployed\n", st.Environment)
	} else {
		fmt.Fprintf(out, "%s  %s  %s\n", st.Environment, st.Release, st.Health)
		fmt.Fprintf(out, "  url       %s\n  commit    %s\n  image     %s\n", st.URL, st.Commit, st.Image.Reference)
		if st.Instance != "" {
			fmt.Fprintf(out, "  instance  %s: with the overrides of %s\n", st.Instance, st.Environment)
		}
		if st.Model != nil {
			fmt.Fprintf(out, "  model     %s  %s\n", st.Model, st.Model.Digest)
		}
		fmt.Fprintf(out, "  since     %s (%s ago), by %s\n", st.Since.Format(time.RFC3339), render.FormatAge(c.App.Clock().Sub(st.Since)), st.By)
		if st.Replaced != "" {
			fmt.Fprintf(out, "  replaced  %s\n", st.Replaced)
		}
	}
	if st.InProgress != nil {
		fmt.Fprintf(out, "  entering  %s (run %s): not accepted yet\n", st.InProgress.Release, st.InProgress.Run)
	}
	for _, n := range st.Notes {
		fmt.Fprintf(out, "  note      %s\n", n)
	}
	for _, id := range st.Unfinished {
		fmt.Fprintf(out, "  run       %s is unfinished\n", id)
	}
	for _, w := range st.Waiting {
		c.printWaiting(w)
	}
	for _, q := range st.Quarantined {
		fmt.Fprintf(out, "  quarantined %s: %s\n", q.Release, q.Reason)
	}
	c.printHistory(st.History)
	fmt.Fprintln(out)
}

// printWaiting shows what a run waits for, and how to continue it.
func (c *Command) printWaiting(w app.WaitingRun) {
	out := c.Stdout
	fmt.Fprintf(out, "  waiting   run %s (commit %s, by %s): %s\n", w.Run, delivery.Commit{SHA: w.Commit}.Short(), w.By, w.Cause)
	if w.OvertakenBy != nil {
		fmt.Fprintf(out, "            overtaken by %s\n", w.OvertakenBy)
	}
	if w.Hint != "" {
		fmt.Fprintf(out, "            -> %s\n", w.Hint)
	}
}

func (c *Command) printHistory(history []delivery.Deployment) {
	if len(history) == 0 {
		return
	}
	var rows [][]string
	for _, d := range history {
		rows = append(rows, []string{d.StartedAt.Format(time.DateTime), string(d.Release), string(d.State), d.By, d.Reason})
	}
	c.printTable("STARTED RELEASE STATE BY REASON", rows)
}
