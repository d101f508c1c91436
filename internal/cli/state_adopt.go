package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) adoptState() *cobra.Command {
	var env, why string
	cmd := &cobra.Command{
		Use: "adopt --env ENV --why REASON", Short: "Let an environment belong to this shared state from now on", Args: noArgs,
		Long: "The target of an environment remembers which shared state it was deployed from, and how far that was. A run\n" +
			"with another state, or with none, deploys nothing there: it would not know of quarantines and approvals.\n" +
			"This command makes the state that is used here the right one: after a bucket was moved or restored from a\n" +
			"backup, or with `--state none` to keep the records on this machine. What the target still has of the\n" +
			"environment's history is imported. The target keeps who decided it, and why.",
		Example: "  slipway state adopt --env prod --why \"the bucket was moved\"\n" +
			"  slipway state adopt --env staging --state none --why \"back to one machine\"",
		RunE: func(cmd *cobra.Command, _ []string) error {
			stop := func() {}
			if !c.json {
				stop = c.startProgress() // of what is imported
			}
			adopted, err := c.App.AdoptState(cmd.Context(), delivery.Environment(env), why)
			stop()
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(adopted)
				return nil
			}
			belongs := "belongs to"
			if !adopted.Changed {
				belongs = "already belongs to"
			}
			place := "no shared state: its records are on this machine"
			if m := adopted.Anchor.Mark; m.Log != "" {
				place = fmt.Sprintf("the shared state %s, as of entry %d", m.Log, m.Entry)
			}
			fmt.Fprintf(c.Stdout, "%s %s %s\n", env, belongs, place)
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment")
	cmd.Flags().StringVar(&why, "why", "", "reason, kept by the target")
	requireOneOf(cmd, "env")
	return cmd
}
