package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/termtext"
)

func (c *Command) plan() *cobra.Command {
	var opts app.RunOptions
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what a run would do, and why, without changing anything", Args: noArgs,
		Long: `Show what a run would do, and why, and all that is known to make it fail: uncommitted
changes, missing files and variables, a missing builder, a quarantine. With such a
problem the exit code is 2.

Nothing is written to the repository, to .git or to the state folder.`,
		Example: "  slipway plan --env prod\n  slipway plan --env prod -o json\n  slipway plan --retrain --until evaluate",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.App.Plan(cmd.Context(), opts)
			if err != nil {
				return err
			}
			if len(p.Problems) > 0 {
				c.setExit(ExitUsage)
			}
			if c.json {
				c.printJSON(p)
				return nil
			}
			if len(p.Steps) > 0 || p.Skip != "" {
				c.printPlan(p)
			}
			c.printProblems(p.Problems)
			return nil
		},
	}
	addRunFlags(cmd, &opts)
	return cmd
}

// addRunFlags adds the flags that plan and run share.
func addRunFlags(cmd *cobra.Command, opts *app.RunOptions) {
	f := cmd.Flags()
	f.StringVarP((*string)(&opts.Environment), "env", "e", "", "environment (default: chosen by the branch)")
	f.StringVar(&opts.Event, "event", "", "triggering event: push or pull_request (default: taken from the CI environment, else push)")
	f.StringVar(&opts.Branch, "branch", "", "branch that was pushed, or the base of the pull request (default: the current branch)")
	f.StringVar(&opts.Tag, "tag", "", "tag that was pushed, instead of a branch (default: taken from the CI environment)")
	f.BoolVar(&opts.Retrain, "retrain", false, "train even if no training input has changed")
	f.StringVar(&opts.Model, "model", "", "deliver this approved version, GROUP:NUMBER, and train nothing")
	f.BoolVar(&opts.Rebuild, "rebuild", false, "build another image even if there is one of the same inputs")
	f.BoolVar(&opts.DeployOnly, "deploy-only", false, "promote the newest good release without testing, building or training")
	f.StringVar(&opts.Until, "until", "", "stop after this step")
	f.BoolVar(&opts.AllowDirty, "allow-dirty", false, "include uncommitted changes; the release is recorded as dirty")
	excludeEachOther(cmd, "retrain", "deploy-only", "model")
	excludeEachOther(cmd, "rebuild", "deploy-only")
}

func (c *Command) printPlan(p app.PlanView) {
	fmt.Fprintf(c.Stdout, "%s %s -> %s", p.Purpose, p.Service, p.Environment)
	if p.Commit.SHA != "" {
		fmt.Fprintf(c.Stdout, "  commit %s", p.Commit.Short())
	}
	if p.Commit.Dirty {
		fmt.Fprint(c.Stdout, " (dirty)")
	}
	if p.Replaces != "" {
		fmt.Fprintf(c.Stdout, "  replaces %s", p.Replaces)
	}
	fmt.Fprintln(c.Stdout)
	for _, note := range p.Notes {
		fmt.Fprintf(c.Stdout, "note: %s\n", render.Indent(note))
	}
	c.printDrift(p.Drift, "")
	if p.Skip != "" {
		fmt.Fprintf(c.Stdout, "nothing to do: %s\n", render.Indent(p.Skip))
		c.printWarnings(p.Warnings)
		return
	}
	if ch := p.Changed; ch != nil && len(ch.Paths) > 0 {
		fmt.Fprintf(c.Stdout, "changed since %s: %s\n", ch.Since, fault.Enumerate(ch.Paths))
	}
	var rows [][]string
	for _, s := range p.Steps {
		needs := strings.Join(s.Needs, ",")
		if needs == "" {
			needs = "-"
		}
		rows = append(rows, []string{s.Name, string(s.Action), needs, s.Reason})
	}
	c.printTable("STEP ACTION NEEDS WHY", rows)
	for _, d := range p.Datasets {
		fmt.Fprintf(c.Stdout, "data: %s\n", formatDataset(d))
	}
	c.printCost(p)
	c.printBox(p.Box)
	c.printWarnings(p.Warnings)
	if p.Existing != nil {
		fmt.Fprintf(c.Stdout, "\n%s serves in %s and no run has deployed it; it becomes release 0, which a failed deploy returns to:\n", p.Service, p.Environment)
		c.printExisting(p.Existing)
	}
	c.printChanges(p)
}

func (c *Command) printWarnings(warnings []string) {
	for _, warning := range warnings {
		fmt.Fprintf(c.Stdout, "warning: %s\n", render.Indent(warning))
	}
}

// printCost prints what the jobs of the run are estimated to cost, and what they may.
func (c *Command) printCost(p app.PlanView) {
	if p.Cost == nil {
		return
	}
	for _, s := range p.Steps {
		if s.Estimate != nil && s.Action == "run" {
			fmt.Fprintf(c.Stdout, "cost: %s, %s\n", s.Name, s.Estimate.Text)
		}
	}
	b := p.Cost.Budget
	if b == nil {
		return
	}
	var limits []string
	if b.PerRun.Amount > 0 {
		limits = append(limits, fmt.Sprintf("%s for a run", b.PerRun))
	}
	if b.PerMonth.Amount > 0 {
		limits = append(limits, fmt.Sprintf("%s for a month, of which %s are spent", b.PerMonth, p.Cost.Month))
	}
	fmt.Fprintf(c.Stdout, "budget: %s\n", strings.Join(limits, ", "))
}

// printBox prints what the commands of the repository run in.
func (c *Command) printBox(b app.Box) {
	switch {
	case b.Kind == "":
	case b.Reason != "":
		fmt.Fprintf(c.Stdout, "box: %s, commands run as this user: %s\n", b.Kind, render.Indent(b.Reason))
	case b.Kind == app.NoBox:
		fmt.Fprintf(c.Stdout, "box: %s, commands run as this user\n", b.Kind)
	default:
		fmt.Fprintf(c.Stdout, "box: %s, commands see no other process, no home and no state\n", b.Kind)
	}
}

// printProblems lists what would make the run fail, and what to do.
func (c *Command) printProblems(all []app.Problem) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(c.Stderr, "slipway: %s: a run would fail\n", count(len(all), "problem"))
	for i, p := range all {
		fmt.Fprintf(c.Stderr, "%3d. %s\n", i+1, render.Indent(p.Text))
		if p.Hint != "" {
			fmt.Fprintf(c.Stderr, "     -> %s\n", render.Indent(p.Hint))
		}
	}
}

// printChanges shows what the run would change in the environment, as far as the
// target can predict it.
func (c *Command) printChanges(p app.PlanView) {
	if len(p.Changes) == 0 {
		return
	}
	fmt.Fprintf(c.Stdout, "\nin %s:\n", p.Environment)
	for _, ch := range p.Changes {
		fmt.Fprintf(c.Stdout, "%s %s %s\n", ch.Action, ch.Kind, ch.Name)
		if ch.Action != "change" {
			continue // a whole new object is in the manifests
		}
		for line := range strings.Lines(termtext.String(ch.Diff)) {
			fmt.Fprintf(c.Stdout, "    %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
}
