package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) approve() *cobra.Command {
	return c.decide(app.Decision{Approve: true}, "approve", "Approve a model version or a run that is waiting for approval")
}

func (c *Command) reject() *cobra.Command {
	return c.decide(app.Decision{}, "reject", "Reject a model version or a run that is waiting for approval")
}

// decide returns the command that makes the decision.
func (c *Command) decide(d app.Decision, verb, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb + " RUN|GROUP:VERSION", Short: short, Args: argsBetween(1, 1),
		Long: short + ".\n\nThe command continues the run that was waiting for the decision. With --no-wait it\n" +
			"only records the decision; continue the run with `slipway run --resume RUN`.",
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
	cmd.Flags().StringVar(&d.Why, "why", "", "reason, kept in the records")
	cmd.Flags().StringVar(&d.By, "by", "", "who makes the decision (default: $SLIPWAY_ACTOR, $GITHUB_ACTOR or $USER)")
	cmd.Flags().BoolVar(&d.NoWait, "no-wait", false, "only record the decision; do not continue the run")
	return cmd
}

func (c *Command) printDecision(result app.DecisionResult, approved bool) {
	if c.json {
		c.printJSON(result)
	} else if result.Model != nil {
		fmt.Fprintf(c.Stdout, "%s is %s\n", result.Model, result.Model.Status)
	}
	if result.WaitingRun != "" && !c.json {
		fmt.Fprintf(c.Stdout, "continue the run with `slipway run --resume %s`\n", result.WaitingRun)
	}
	if result.Run == nil {
		return
	}
	if c.json {
		c.setExit(outcomeExitCode(result.Run.Outcome))
	} else {
		c.printReport(*result.Run)
	}
	if !approved && result.Run.Outcome == delivery.OutcomeFailed {
		c.exit = ExitOK // the run ended because it was rejected, as requested
	}
}
