package cli

import (
	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) doctor() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look at what deliveries depend on, before they cost anything", Args: noArgs,
		Long: "Look at what deliveries depend on, before they cost anything: the machine, the credentials and the account,\n" +
			"the clock, repository, package group, quotas, cluster and its nodes; only what slipway.yaml names. Each row\n" +
			"that is not ok ends with the command that mends it. Nothing is changed.\n\n" +
			"Exit code 1: a delivery would fail; 6: none would, as far as could be seen, but something could not be looked at.",
		Example: "  slipway doctor\n  slipway doctor --env prod --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.App.Diagnose(cmd.Context(), delivery.Environment(env))
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(all)
			} else {
				c.printDiagnoses(all)
			}
			c.setExit(diagnosesExitCode(all))
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment (default: all)")
	return cmd
}

func (c *Command) printDiagnoses(all []app.Diagnosis) {
	rows := make([][]string, len(all))
	for i, d := range all {
		rows[i] = []string{d.Place, d.Check, string(d.State), d.Seen, d.Mend}
	}
	c.printTable("PLACE CHECK STATE SEEN MEND", rows)
}

func diagnosesExitCode(all []app.Diagnosis) int {
	code := ExitOK
	for _, d := range all {
		switch d.State {
		case app.CheckFailed:
			return ExitFailed
		case app.CheckUnknown:
			code = ExitDrift
		}
	}
	return code
}
