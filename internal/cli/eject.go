package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) eject() *cobra.Command {
	var env, dir string
	cmd := &cobra.Command{
		Use: "eject --env ENV", Short: "Write what is deployed into a folder, so that it runs without Slipway", Args: noArgs,
		Long: "Writes the release that is deployed in an environment, with its images by digest: for Kubernetes plain manifests\n" +
			"for kubectl apply, without Slipway's labels; for the local target the image, the model's files and a Compose file.\n" +
			"Nothing that runs is changed, and the values of secrets are not written.",
		Example: "  slipway eject --env prod\n  slipway eject --env prod --dir plain",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := c.App.Eject(cmd.Context(), delivery.Environment(env), dir)
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(r)
				return nil
			}
			fmt.Fprintf(c.Stdout, "wrote %s of %s to %s\n", r.Release, r.Environment, r.Dir)
			for _, f := range r.Files {
				fmt.Fprintf(c.Stdout, "  %s\n", filepath.Join(r.Dir, f))
			}
			for _, n := range r.Notes {
				fmt.Fprintf(c.Stdout, "note: %s\n", n)
			}
			fmt.Fprintf(c.Stdout, "next: cd %s && %s\n", r.Dir, r.Command)
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment")
	cmd.Flags().StringVar(&dir, "dir", "", "folder to write to; it must be empty (default: slipway-eject-ENV)")
	requireOneOf(cmd, "env")
	return cmd
}
