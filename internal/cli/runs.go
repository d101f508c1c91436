package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

func (c *Command) runs() *cobra.Command {
	var env string
	var limit int
	cmd := group(&cobra.Command{
		Use: "runs", Short: "List runs, newest first, and how they ended",
		Example: "  slipway runs\n  slipway runs --env prod --limit 5\n  slipway runs show latest",
	}, c.showRun())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := c.App.Runs(cmd.Context(), delivery.Environment(env), limit)
		if err != nil {
			return err
		}
		if c.json {
			c.printJSON(all)
			return nil
		}
		var rows [][]string
		for _, r := range all {
			ended, took := string(r.Outcome), "-"
			if r.Outcome == "" {
				ended = string(r.State)
			}
			if !r.StartedAt.IsZero() && !r.EndedAt.IsZero() {
				took = render.FormatAge(r.EndedAt.Sub(r.StartedAt))
			}
			rows = append(rows, []string{
				string(r.ID), string(r.Environment), ended, orDash(delivery.Commit{SHA: r.Commit}.Short()),
				c.formatDate(r.CreatedAt), took, r.By.String(), render.Cut(r.Cause, screenColumns),
			})
		}
		c.printTable("RUN ENVIRONMENT OUTCOME COMMIT CREATED TOOK BY CAUSE", rows)
		return nil
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment (default: all)")
	cmd.Flags().IntVar(&limit, "limit", 20, "maximum number to list; 0 for all")
	return cmd
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (c *Command) showRun() *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "Show again what a run printed, and how it ended", Args: argsBetween(1, 1),
		Long: "Show again what a run printed, and how it ended. RUN is its name, a part of it that no\n" +
			"other run has at its beginning or end, or `latest`. `slipway logs RUN` shows the output\n" +
			"of its commands.",
		Example: "  slipway runs show latest\n  slipway runs show 20261124-101502-k3f9 --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := c.App.RunEvents(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(struct {
					app.RunReport
					Events []event.Event `json:"events"`
				}{run.Report, run.Events})
				return nil
			}
			c.printRun(run)
			return nil
		},
	}
}

func (c *Command) printRun(run app.RunDetails) {
	lines := &render.Lines{W: c.terminal.stdout, Color: c.color()}
	for _, e := range run.Events {
		lines.Emit(e)
	}
	if run.Removed {
		fmt.Fprintln(c.Stdout, "(made from the records: `slipway cleanup` removed what it printed)")
	}
	r := run.Summary
	about := fmt.Sprintf("run %s in %s, created %s by %s", r.ID, r.Environment, c.formatTime(r.CreatedAt), r.By)
	if r.Commit != "" {
		about += ", commit " + delivery.Commit{SHA: r.Commit}.Short()
	}
	if r.Outcome == "" {
		about += ": " + string(r.State)
	}
	fmt.Fprintln(c.Stdout, about)
	c.printDelivered(run.Report)
}
