package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

func (c *Command) up() *cobra.Command {
	return &cobra.Command{
		Use: "up", Short: "Start the services again after a reboot", Args: noArgs, Example: "  slipway up",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.App.Up(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(all)
				return nil
			}
			for _, st := range all {
				fmt.Fprintf(c.Stdout, "%s  %s  %s  %s\n", st.Environment, st.Release, st.Health, st.URL)
			}
			return nil
		},
	}
}

func (c *Command) down() *cobra.Command {
	var env string
	var all bool
	cmd := &cobra.Command{
		Use: "down", Short: "Stop the service in an environment, or everything with --all", Args: noArgs,
		Example: "  slipway down --env prod\n  slipway down --all",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if env == "" && !all {
				return fault.New(fault.Invalid, "an environment is required").Hint("pass --env ENV or --all")
			}
			stopped, err := c.App.Down(cmd.Context(), delivery.Environment(env))
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(map[string]any{"stopped": stopped})
				return nil
			}
			for _, e := range stopped {
				fmt.Fprintf(c.Stdout, "%s is down\n", e)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment")
	cmd.Flags().BoolVar(&all, "all", false, "every environment, and the build daemon")
	excludeEachOther(cmd, "env", "all")
	return cmd
}
