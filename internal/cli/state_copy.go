package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (c *Command) pushState() *cobra.Command {
	return &cobra.Command{
		Use: "push", Short: "Bring the records of this machine into an empty shared state", Args: noArgs,
		Long: "Bring the records of this machine into an empty shared state: runs, releases, deployments, quarantines,\n" +
			"approvals, models with their files. Others see all records or none. Runs have to be finished before. The records of this\n" +
			"machine stay where they are, and are not used any more while the state is shared.",
		Example: "  slipway state push\n  slipway state push --state s3://bucket/retail",
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := c.App.PushState(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(result)
				return nil
			}
			fmt.Fprintf(c.Stdout, "brought %d runs (%d rows) and %d models from %s into %s\n", result.Runs, result.Rows, result.Models, result.From, result.To)
			for _, m := range result.Missing {
				fmt.Fprintf(c.Stderr, "warning: the files of model %s are not on this machine\n", m)
			}
			return nil
		},
	}
}

func (c *Command) pullState() *cobra.Command {
	return &cobra.Command{
		Use: "pull FOLDER", Short: "Copy the records of the shared state to a folder that works without it", Args: argsBetween(1, 1),
		Long: "Copy the records of the shared state to a new state folder, to look at them offline or to keep a backup. Blobs\n" +
			"and logs of runs are not copied.",
		Example: "  slipway state pull ../retail-copy\n  SLIPWAY_HOME=../retail-copy slipway releases --state none",
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := c.App.PullState(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(result)
				return nil
			}
			fmt.Fprintf(c.Stdout, "copied the records in %s to %s\nlook at them with SLIPWAY_HOME=%s and --state none\n", result.From, result.To, result.To)
			return nil
		},
	}
}
