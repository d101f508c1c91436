package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) verify() *cobra.Command {
	var env, release string
	cmd := &cobra.Command{
		Use:   "verify --env ENV | verify --provenance RELEASE",
		Short: "Check that what is deployed is the recorded release and healthy, or explain a release's provenance",
		Args:  noArgs,
		Long: `Check that what is deployed is the recorded release and healthy, or explain a
release's provenance.

Where the target can compare, what is live is compared with the record: what is
missing or was changed by hand is named, with who changed it. In a cluster, what
runs the project's image by the tag latest, which is never pushed, is named, too.

Exit codes: 0 passed, 1 failed, 2 usage or configuration, 6 it responds as it
should, but differs from the record.`,
		Example: "  slipway verify --env prod\n  slipway verify --provenance r-7f3a9c21d04e\n  slipway verify --provenance r-7f3a9c21d04e --env prod --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if release != "" {
				return c.verifyProvenance(cmd.Context(), delivery.ReleaseID(release), delivery.Environment(env))
			}
			v, err := c.App.Verify(cmd.Context(), delivery.Environment(env))
			if err != nil {
				return err
			}
			if v.Verdict != delivery.Passed {
				c.setExit(ExitFailed)
			}
			if v.Verdict == delivery.Passed && len(v.Drift) > 0 {
				c.setExit(ExitDrift)
			}
			if c.json {
				c.printJSON(v)
				return nil
			}
			fmt.Fprintf(c.Stdout, "%s  %s in %s: %s\n", v.Verdict, v.Release, v.Environment, render.Indent(v.Summary))
			c.printDrift(v.Drift, v.Environment)
			for _, note := range v.Notes {
				fmt.Fprintln(c.Stdout, "  "+render.Indent(note))
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment; with --provenance, whose trust policy to apply (default: all combined)")
	cmd.Flags().StringVar(&release, "provenance", "", "explain who signed this release and what it was built from")
	requireOneOf(cmd, "env", "provenance")
	return cmd
}
