package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (c *Command) init() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "init", Short: "Write a commented slipway.yaml based on what the repository contains", Args: noArgs,
		Example: "  slipway init\n  slipway init --force",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, seen, err := c.App.Init(cmd.Context(), force)
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(map[string]string{"file": path, "seen": seen})
				return nil
			}
			fmt.Fprintf(c.Stdout, "wrote %s\n%s\nnext: review it, commit it, and run `slipway plan`\n", path, seen)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite an existing file")
	return cmd
}
