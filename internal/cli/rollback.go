package cli

import (
	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) rollback() *cobra.Command {
	var env, to, why string
	cmd := &cobra.Command{
		Use: "rollback --env ENV [--to RELEASE]", Short: "Roll back to the last good release: image, model and configuration", Args: noArgs,
		Example: "  slipway rollback --env prod --why \"wrong prices since noon\"\n  slipway rollback --env prod --to r-7f3a9c21d04e",
		RunE: func(cmd *cobra.Command, _ []string) error {
			stop := c.startProgress()
			report, err := c.App.Rollback(cmd.Context(), delivery.Environment(env), delivery.ReleaseID(to), why)
			stop()
			if err != nil {
				return err
			}
			c.printReport(report)
			if report.Outcome == delivery.OutcomeRolledBack {
				c.exit = ExitOK // as requested
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment")
	cmd.Flags().StringVar(&to, "to", "", "release to roll back to (default: the previous one)")
	cmd.Flags().StringVar(&why, "why", "", "reason, kept in the history")
	requireOneOf(cmd, "env")
	return cmd
}
