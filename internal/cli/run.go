package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// ask adds the flags that plan and run share.
func ask(cmd *cobra.Command, a *app.RunOptions) {
	f := cmd.Flags()
	f.StringVarP((*string)(&a.Environment), "env", "e", "", "environment (default: chosen by the branch)")
	f.StringVar(&a.Event, "event", "", "triggering event: push or pull_request (default: taken from the CI environment, else push)")
	f.StringVar(&a.Branch, "branch", "", "branch that was pushed, or the base of the pull request (default: the current branch)")
	f.BoolVar(&a.Retrain, "retrain", false, "train even if no training input has changed")
	f.BoolVar(&a.DeployOnly, "deploy-only", false, "promote the newest good release without testing, building or training")
	f.StringVar(&a.Until, "until", "", "stop after this step")
	f.BoolVar(&a.AllowDirty, "allow-dirty", false, "include uncommitted changes; the release is recorded as dirty")
	cmd.MarkFlagsMutuallyExclusive("retrain", "deploy-only")
}

func (c *Command) plan() *cobra.Command {
	var a app.RunOptions
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what a run would do, and why, without changing anything", Args: cobra.NoArgs,
		Example: "  slipway plan --env prod\n  slipway plan --env prod -o json\n  slipway plan --retrain --until evaluate",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.App.Plan(cmd.Context(), a)
			if err != nil {
				return err
			}
			if c.json {
				c.print(p)
				return nil
			}
			c.showPlan(p)
			return nil
		},
	}
	ask(cmd, &a)
	return cmd
}

func (c *Command) run() *cobra.Command {
	var a app.RunOptions
	var resume bool
	cmd := &cobra.Command{
		Use: "run", Short: "Deliver the current commit: test, build, train, gate, deploy, verify, watch",
		Long: `Run makes a plan and carries it out. If the release fails after its deployment has
started, the environment is rolled back to the last good release as a whole, and the
failed release is quarantined.

Runs of one environment are executed strictly one after another. A run whose process
was killed is finished by the next run, or by --resume.

Exit codes: 0 done, 1 a gate or step failed and production is unchanged, 2 usage
or configuration error, 3 deployed, failed and rolled back, 4 waiting for approval,
5 the rollback itself failed, 130 interrupted.`,
		Args: cobra.MaximumNArgs(1),
		Example: `  slipway run                       choose the environment by the branch
  slipway run --env prod
  slipway run --env prod --retrain
  slipway run --env prod --deploy-only
  slipway run --until evaluate --json
  slipway run --resume              finish every interrupted run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			end := c.story()
			if resume {
				return c.resume(cmd, args, end)
			}
			if len(args) > 0 {
				end()
				return fault.New(fault.Invalid, "unexpected argument %q", args[0]).Hint("a run is only named with `slipway run --resume RUN`")
			}
			rep, err := c.App.Run(cmd.Context(), a)
			end()
			if err != nil {
				return err
			}
			c.reported(rep)
			return nil
		},
	}
	ask(cmd, &a)
	cmd.Flags().BoolVar(&resume, "resume", false, "finish RUN, or every interrupted run")
	return cmd
}

func (c *Command) resume(cmd *cobra.Command, args []string, end func()) error {
	ref := ""
	if len(args) > 0 {
		ref = args[0]
	}
	reps, err := c.App.Resume(cmd.Context(), ref)
	end()
	for _, rep := range reps {
		c.reported(rep)
	}
	return err
}

// reported shows how a run ended and sets the exit code.
func (c *Command) reported(rep app.RunReport) {
	c.worse(outcomeExit(rep.Outcome))
	if c.json {
		c.print(rep)
		return
	}
	fmt.Fprintf(c.Stdout, "%s  run %s in %s (%.1fs)\n", rep.Outcome, rep.Run, rep.Environment, rep.Seconds)
	if rep.Release != "" {
		fmt.Fprintf(c.Stdout, "release  %s\n", rep.Release)
	}
	if rep.Outcome == delivery.OutcomeDeployed && rep.URL != "" {
		fmt.Fprintf(c.Stdout, "url      %s\n", rep.URL)
	}
}

func (c *Command) cancel() *cobra.Command {
	return &cobra.Command{
		Use: "cancel RUN", Short: "Stop a run and undo what it deployed", Args: cobra.ExactArgs(1),
		Example: "  slipway cancel latest\n  slipway cancel 20261124-101502-k3f9",
		RunE: func(cmd *cobra.Command, args []string) error {
			end := c.story()
			rep, err := c.App.Cancel(cmd.Context(), args[0])
			end()
			if err != nil {
				return err
			}
			c.reported(rep)
			if rep.Outcome == delivery.OutcomeCancelled {
				c.exit = ExitOK // that is what was asked
			}
			return nil
		},
	}
}

func (c *Command) rollback() *cobra.Command {
	var env, to, why string
	cmd := &cobra.Command{
		Use: "rollback --env ENV [--to RELEASE]", Short: "Roll back to the last good release: image, model and configuration",
		Args:    cobra.NoArgs,
		Example: "  slipway rollback --env prod --why \"wrong prices since noon\"\n  slipway rollback --env prod --to r-7f3a9c21d04e",
		RunE: func(cmd *cobra.Command, _ []string) error {
			end := c.story()
			rep, err := c.App.Rollback(cmd.Context(), delivery.Environment(env), delivery.ReleaseID(to), why)
			end()
			if err != nil {
				return err
			}
			c.reported(rep)
			if rep.Outcome == delivery.OutcomeRolledBack {
				c.exit = ExitOK // that is what was asked
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment")
	cmd.Flags().StringVar(&to, "to", "", "release to roll back to (default: the previous one)")
	cmd.Flags().StringVar(&why, "why", "", "reason, kept in the history")
	must(cmd.MarkFlagRequired("env"))
	return cmd
}

// must stops on a mistake in this package: a flag that does not exist.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
