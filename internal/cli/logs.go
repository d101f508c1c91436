package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

func (c *Command) logs() *cobra.Command {
	var follow bool
	var env string
	var lines int
	cmd := &cobra.Command{
		Use: "logs RUN [STEP] | logs --env ENV", Short: "Show the output of a run's steps, or of the service", Args: argsBetween(0, 2),
		Long: "Show the output of a run's steps, or of the service. Control sequences of a terminal,\n" +
			"colors too, and overrides of the text's direction are left out: they could change what\n" +
			"stands on the screen. The files in the state folder have them.",
		Example: "  slipway logs latest\n  slipway logs latest train -f\n  slipway logs --env prod",
		RunE: func(cmd *cobra.Command, args []string) error {
			if env != "" {
				return c.App.ServiceLogs(cmd.Context(), delivery.Environment(env), lines, c.Stdout)
			}
			if len(args) == 0 {
				return fault.New(fault.Invalid, "a run or --env is required").
					Hint("name a run (`latest` is the newest), or pass --env for the service's own logs")
			}
			return c.App.Logs(cmd.Context(), args[0], strings.Join(args[1:], ""), follow, c.Stdout)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "follow the output until the run ends")
	cmd.Flags().StringVarP(&env, "env", "e", "", "show the service's own logs in this environment")
	cmd.Flags().IntVar(&lines, "lines", 100, "number of lines of the service's logs")
	return cmd
}
