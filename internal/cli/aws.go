package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
)

func (c *Command) aws() *cobra.Command {
	return group(&cobra.Command{
		Use: "aws", Short: "Set up what the project needs in an account of AWS",
		Long: "What the pipeline needs in AWS is decided by slipway.yaml: roles that allow exactly what is used, and the\n" +
			"resources that they name. These commands show it, make it so, and remove it: docs/aws.md.",
		Example: "  slipway aws policy --explain\n  slipway aws plan\n  slipway aws apply --only state\n  slipway aws apply\n  slipway aws destroy\n  slipway aws export terraform --check",
	}, c.awsPolicy(), c.awsPlan(), c.awsApply(), c.awsDestroy(), c.awsExport())
}

func (c *Command) awsPlan() *cobra.Command {
	var o app.AccountOptions
	cmd := &cobra.Command{
		Use: "plan", Short: "Show how the account differs from what the project needs, without changing anything", Args: noArgs,
		Long: `Show what would be made, changed and removed in the account of AWS, field by field, what
is left because it is not Slipway's, and what AWS charges for. Nothing is changed.

The exit code is 0 if the account is what the project needs, and 6 if it differs.`,
		Example: "  slipway aws plan\n  slipway aws plan -o json\n  slipway aws plan --only role/retail-api-prod",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.App.PlanAccount(cmd.Context(), o)
			if err != nil {
				return err
			}
			if p.Differs() {
				c.setExit(ExitDrift)
			}
			if c.json {
				c.printJSON(p)
				return nil
			}
			c.printAccount(p)
			return nil
		},
	}
	addAccountFlags(cmd, &o)
	return cmd
}

func addAccountFlags(cmd *cobra.Command, o *app.AccountOptions) {
	cmd.Flags().StringVar(&o.Only, "only", "", "only this resource, KIND/NAME, or state: the bucket of the shared state, which has to be there before anything else")
	cmd.Flags().StringArrayVar(&o.Adopt, "adopt", nil, "take over this resource, NAME or KIND/NAME, that was not made by Slipway (repeatable)")
}

func (c *Command) awsApply() *cobra.Command {
	var o app.AccountOptions
	var yes bool
	cmd := &cobra.Command{
		Use: "apply", Short: "Make the account what the project needs", Args: noArgs,
		Long: `Show what would be changed, as plan does, and after confirmation make it so: create what
is missing, undo what others changed, and remove what the project does not need any more.
What Slipway did not make is left alone, unless --adopt names it: then it gets the
project's tags, and is narrowed to what is used.

It can be interrupted at any time: run again, it goes on. Where rights are missing, all
that can be done is done, and every statement that an administrator has to add is named.`,
		Example: "  slipway aws apply --only state\n  slipway aws apply\n  slipway aws apply --adopt token.actions.githubusercontent.com --adopt repository/mlops/retail-api\n  slipway aws apply --yes -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Confirm, o.Done = c.confirmAccount(yes, "Apply these changes?", "yes"), c.printAccountDone
			return c.finishAccount(c.App.ApplyAccount(cmd.Context(), o))
		},
	}
	addAccountFlags(cmd, &o)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (c *Command) awsDestroy() *cobra.Command {
	var o app.AccountOptions
	var yes bool
	cmd := &cobra.Command{
		Use: "destroy", Short: "Remove what the project has in the account", Args: noArgs,
		Long: `Show what would be removed, and after confirmation, by the project's name, remove it, the
last made first. What was there before Slipway stays, and what others use. Buckets,
repositories and model package groups stay with what is in them, unless --data is given.
At the end it says what still costs.`,
		Example: "  slipway aws destroy\n  slipway aws destroy --data --yes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Confirm, o.Done = c.confirmAccount(yes, "This can't be undone. Type the project's name to remove all of this:", ""), c.printAccountDone
			p, err := c.App.DestroyAccount(cmd.Context(), o)
			if err := c.finishAccount(p, err); err != nil || c.json {
				return err
			}
			c.printAccountCosts(p, "still costs")
			return nil
		},
	}
	cmd.Flags().BoolVar(&o.Data, "data", false, "also remove buckets, repositories and model package groups, with all that is in them")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// finishAccount prints what was done.
func (c *Command) finishAccount(p app.AccountPlan, err error) error {
	if err != nil {
		return err
	}
	switch {
	case c.json:
		c.printJSON(p)
	case !p.Changes():
		c.printAccount(p)
	default:
		fmt.Fprintf(c.Stdout, "done: %s\n", count(p.Count(), "change"))
	}
	return nil
}
