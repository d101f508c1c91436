package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) approve() *cobra.Command {
	return c.decide(app.Decision{Approve: true}, "approve", "Approve a model version or a run that is waiting for approval",
		"\n\nA run that was overtaken while it waited, because a later run has been deployed in its\n"+
			"environment, is not approved without --even-though-older.")
}

func (c *Command) reject() *cobra.Command {
	return c.decide(app.Decision{}, "reject", "Reject a model version or a run that is waiting for approval",
		"\n\nA model that was approved loses its approval: its releases are no longer deployed, nor\n"+
			"rolled back to. Where it is deployed, --serving rollback rolls back to the last good\n"+
			"release with another model, and --serving keep leaves it deployed.")
}

// decide returns the command that makes the decision.
func (c *Command) decide(d app.Decision, verb, short, more string) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb + " RUN|GROUP:VERSION", Short: short, Args: argsBetween(1, 1),
		Long: short + ".\n\nThe command continues every run that was waiting for the decision, in the order in\n" +
			"which they were created. With --no-wait it only records the decision; continue a run\n" +
			"with `slipway run --resume RUN`." + more,
		Example: fmt.Sprintf("  slipway %[1]s latest --why \"looked at the confusion matrix\"\n  slipway %[1]s retail-price-sensitivity-models:3 --why \"...\"", verb),
		RunE: func(cmd *cobra.Command, args []string) error {
			d.Subject = args[0]
			stop := c.startProgress()
			result, err := c.App.Decide(cmd.Context(), d)
			stop()
			if err != nil {
				return err
			}
			c.printDecision(result, d.Approve)
			return nil
		},
	}
	if d.Approve {
		cmd.Flags().BoolVar(&d.EvenThoughOlder, "even-though-older", false, "continue the run although a later one has been deployed meanwhile")
	}
	if !d.Approve {
		cmd.Flags().StringVar(&d.Serving, "serving", "", "where the rejected model is deployed: rollback or keep")
	}
	cmd.Flags().StringVar(&d.Why, "why", "", "reason, kept in the records")
	cmd.Flags().StringVar(&d.By, "by", "", "note of who decided; approvals are counted by the user of the CI or the operating system")
	cmd.Flags().BoolVar(&d.NoWait, "no-wait", false, "only record the decision; do not continue the run")
	return cmd
}

func (c *Command) printDecision(result app.DecisionResult, approved bool) {
	if c.json {
		c.printJSON(result)
	} else if result.Model != nil {
		fmt.Fprintf(c.Stdout, "%s is %s\n", result.Model, result.Model.Status)
	}
	for _, id := range result.WaitingRuns {
		if !c.json {
			fmt.Fprintf(c.Stdout, "continue the run with `slipway run --resume %s`\n", id)
		}
	}
	for _, report := range result.Rollbacks {
		c.printDecidedRun(report, true)
	}
	for _, report := range result.Runs {
		c.printDecidedRun(report, approved)
	}
	for _, w := range result.Overtaken {
		c.setExit(ExitWaiting)
		if !c.json {
			fmt.Fprintf(c.Stdout, "run %s keeps waiting: it was overtaken by %s\n  -> %s\n", w.Run, w.OvertakenBy, w.Hint)
		}
	}
}

// printDecidedRun shows how a run ended that went on after a decision. One that ended
// because it was rejected did as requested.
func (c *Command) printDecidedRun(report app.RunReport, approved bool) {
	before := c.exit
	if c.json {
		c.setExit(outcomeExitCode(report.Outcome))
	} else {
		c.printReport(report)
	}
	if !approved && report.Outcome == delivery.OutcomeFailed {
		c.exit = before
	}
}
