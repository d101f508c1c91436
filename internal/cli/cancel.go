package cli

import (
	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) cancel() *cobra.Command {
	return &cobra.Command{
		Use: "cancel RUN", Short: "Stop a run and undo what it deployed", Args: argsBetween(1, 1),
		Example: "  slipway cancel latest\n  slipway cancel 20261124-101502-k3f9",
		RunE: func(cmd *cobra.Command, args []string) error {
			stop := c.startProgress()
			report, err := c.App.Cancel(cmd.Context(), args[0])
			stop()
			if err != nil {
				return err
			}
			c.printReport(report)
			if report.Outcome == delivery.OutcomeCancelled {
				c.exit = ExitOK // as requested
			}
			return nil
		},
	}
}
