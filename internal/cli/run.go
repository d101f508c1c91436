package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

func (c *Command) run() *cobra.Command {
	var opts app.RunOptions
	var resume bool
	var patience time.Duration
	cmd := &cobra.Command{
		Use: "run [--resume [RUN]]", Short: "Deliver the current commit: test, build, train, gate, deploy, verify, watch",
		Long: `Run makes a plan and carries it out. If the release fails after its deployment has
started, the environment is rolled back to the last good release as a whole, and the
failed release is quarantined.

Runs of one environment are executed strictly one after another. A run whose process
was killed is finished by the next run, or by --resume.

The first failure stops what runs beside it. With --keep-going, steps that do not need
the failed one go on: all failing tests are found in one run, and a failed training does
not throw away a build. Nothing is deployed after a failure either way.

A run that waits for a decision ends with exit code 4, and goes on with the approval.
With --wait it waits for one that is made elsewhere: on another machine of the state, or
in the model registry's own interface.

Exit codes: 0 done, 1 a gate or step failed and production is unchanged, 2 usage
or configuration error, 3 deployed, failed and rolled back, 4 waiting for approval,
5 the rollback itself failed, 130 interrupted.`,
		Args: argsBetween(0, 1),
		Example: `  slipway run                       choose the environment by the branch
  slipway run --env prod
  slipway run --env prod --retrain
  slipway run --env prod --model prices:3   with that approved model, without training
  slipway run --env prod --deploy-only
  slipway run --until evaluate --json
  slipway run --keep-going          find all failing tests in one run
  slipway run --resume              finish every interrupted run
  slipway run --wait 8h             go on when the model is approved in its registry`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if patience < 0 {
				return fault.New(fault.Invalid, "--wait %s is negative", patience)
			}
			if resume {
				return c.resume(cmd, args, patience)
			}
			if len(args) > 0 {
				return fault.New(fault.Invalid, "unexpected argument %q", args[0]).Hint("a run is only named with `slipway run --resume RUN`")
			}
			stop := c.startProgress()
			report, err := c.App.Run(cmd.Context(), opts)
			if err == nil {
				report, err = c.await(cmd.Context(), report, patience)
			}
			stop()
			if err != nil {
				return err
			}
			c.printReport(report)
			return nil
		},
	}
	addRunFlags(cmd, &opts)
	cmd.Flags().BoolVar(&opts.KeepGoing, "keep-going", false, "after a failure, finish the steps that do not need the failed one")
	cmd.Flags().BoolVar(&resume, "resume", false, "finish RUN, or every interrupted run")
	cmd.Flags().DurationVar(&patience, "wait", 0, "how long to wait for a decision that is made elsewhere, such as 8h")
	return cmd
}

// await waits for a decision on a run that waits for one, and goes on with it.
func (c *Command) await(ctx context.Context, report app.RunReport, patience time.Duration) (app.RunReport, error) {
	if patience == 0 || report.Outcome != delivery.OutcomeWaiting {
		return report, nil
	}
	return c.App.AwaitDecision(ctx, string(report.Run), patience)
}

func (c *Command) resume(cmd *cobra.Command, args []string, patience time.Duration) error {
	ref := ""
	if len(args) > 0 {
		ref = args[0]
	}
	stop := c.startProgress()
	reports, err := c.App.Resume(cmd.Context(), ref)
	for i := range reports {
		if err == nil {
			reports[i], err = c.await(cmd.Context(), reports[i], patience)
		}
	}
	stop()
	for _, report := range reports {
		c.printReport(report)
	}
	return err
}

// printReport shows how a run ended and sets the exit code.
func (c *Command) printReport(report app.RunReport) {
	c.setExit(outcomeExitCode(report.Outcome))
	if c.json {
		c.printJSON(report)
		return
	}
	fmt.Fprintf(c.Stdout, "%s  run %s in %s (%.1fs)\n", report.Outcome, report.Run, report.Environment, report.Seconds)
	c.printDelivered(report)
}

// printDelivered shows what a run delivered.
func (c *Command) printDelivered(report app.RunReport) {
	if report.Release != "" {
		fmt.Fprintf(c.Stdout, "release  %s\n", report.Release)
	}
	if report.Image != nil {
		fmt.Fprintf(c.Stdout, "image    %s\n", report.Image.Reference)
	}
	if report.Model != nil {
		fmt.Fprintf(c.Stdout, "model    %s\n", report.Model)
	}
	if report.NotRetrained != "" {
		fmt.Fprintf(c.Stdout, "note     %s\n", render.Indent(report.NotRetrained))
	}
	if report.Outcome == delivery.OutcomeDeployed && report.URL != "" {
		fmt.Fprintf(c.Stdout, "url      %s\n", report.URL)
	}
	switch back := report.RolledBack; {
	case back == nil:
	case back.To == "":
		fmt.Fprintln(c.Stdout, "rolled back: nothing is deployed, as before")
	default:
		fmt.Fprintf(c.Stdout, "rolled back to %s\n", back.To)
	}
}
