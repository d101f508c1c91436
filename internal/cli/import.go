package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) importExisting() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use: "import --env ENV", Short: "Record what serves already as the environment's release, without deploying", Args: noArgs,
		Long: "Where something serves that no run has deployed (applied by kubectl, installed by Helm, deployed by another\n" +
			"pipeline), the first run takes it over by itself: `slipway plan` shows it. This command does that without\n" +
			"deploying. What serves becomes release 0: its image by the digest that its pods report, its objects as they\n" +
			"are live. It is a release like any other, so `slipway rollback` can return to it.\n\n" +
			"No pod is restarted. Pods, workloads and Services are labelled, and fields that kubectl or Helm manage become\n" +
			"Slipway's; those of controllers, such as an autoscaler's replicas, stay theirs. It is found by the names of\n" +
			"the Services in the manifests of the commit that is checked out.",
		Example: "  slipway plan --env prod      show what it would take over\n  slipway import --env prod\n  slipway import --env prod --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			stop := func() {}
			if !c.json {
				stop = c.startProgress()
			}
			imported, err := c.App.Import(cmd.Context(), delivery.Environment(env))
			stop()
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(imported)
				return nil
			}
			if !imported.Changed {
				fmt.Fprintf(c.Stdout, "%s is imported in %s already\n", imported.Release, imported.Environment)
				return nil
			}
			fmt.Fprintf(c.Stdout, "%s is deployed in %s: what served already, as release 0\n", imported.Release, imported.Environment)
			c.printExisting(imported.ExistingView)
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment")
	requireOneOf(cmd, "env")
	return cmd
}

// printExisting shows what serves without a record.
func (c *Command) printExisting(e *app.ExistingView) {
	if e == nil {
		return
	}
	fmt.Fprintf(c.Stdout, "  image %s, %s, checked at %s\n", e.Image.Reference, count(e.Replicas, "ready replica"), e.Health)
	for _, o := range e.Objects {
		fmt.Fprintf(c.Stdout, "  %s %s", o.Kind, o.Name)
		if len(o.Managers) > 0 {
			fmt.Fprintf(c.Stdout, ": takes over the fields of %s", strings.Join(o.Managers, ", "))
		}
		fmt.Fprintln(c.Stdout)
	}
	for _, note := range e.Notes {
		fmt.Fprintf(c.Stdout, "  note: %s\n", render.Indent(note))
	}
}
