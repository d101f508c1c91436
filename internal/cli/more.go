package cli

import (
	"fmt"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// numbers are the metrics at the top, sorted by name.
func numbers(m delivery.Metrics) string {
	var out []string
	for k, v := range m {
		if f, ok := v.(float64); ok {
			out = append(out, fmt.Sprintf("%s=%.4g", k, f))
		}
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

func (c *Command) init() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "init", Short: "Write a commented slipway.yaml based on what the repository contains", Args: cobra.NoArgs,
		Example: "  slipway init\n  slipway init --force",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, seen, err := c.App.Init(cmd.Context(), force)
			if err != nil {
				return err
			}
			if c.json {
				c.print(map[string]string{"file": path, "seen": seen})
				return nil
			}
			fmt.Fprintf(c.Stdout, "wrote %s\n%s\nnext: review it, commit it, and run `slipway plan`\n", path, seen)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite an existing file")
	return cmd
}

func (c *Command) decide(verb string, yes bool) *cobra.Command {
	d := app.Decision{Approve: yes}
	short := map[bool]string{true: "Approve a model version or a run that is waiting for approval", false: "Reject a model version or a run that is waiting for approval"}
	cmd := &cobra.Command{
		Use: verb + " RUN|GROUP:VERSION", Short: short[yes], Args: cobra.ExactArgs(1),
		Long:    short[yes] + ".\n\nThe command continues the run that was waiting for the decision. With --no-wait it\nonly records the decision; continue the run with `slipway run --resume RUN`.",
		Example: fmt.Sprintf("  slipway %[1]s latest --why \"looked at the confusion matrix\"\n  slipway %[1]s retail-price-sensitivity-models:3 --why \"...\"", verb),
		RunE: func(cmd *cobra.Command, args []string) error {
			d.Subject = args[0]
			end := c.story()
			out, err := c.App.Decide(cmd.Context(), d)
			end()
			if err != nil {
				return err
			}
			c.decided(out, yes)
			return nil
		},
	}
	cmd.Flags().StringVar(&d.Why, "why", "", "reason, kept in the records")
	cmd.Flags().StringVar(&d.By, "by", "", "who makes the decision (default: $SLIPWAY_ACTOR, $GITHUB_ACTOR or $USER)")
	cmd.Flags().BoolVar(&d.NoWait, "no-wait", false, "only record the decision; do not continue the run")
	return cmd
}

func (c *Command) decided(out app.DecisionResult, yes bool) {
	if c.json {
		c.print(out)
	} else if out.Model != nil {
		fmt.Fprintf(c.Stdout, "%s is %s\n", out.Model, out.Model.Status)
	}
	if out.WaitingRun != "" && !c.json {
		fmt.Fprintf(c.Stdout, "continue the run with `slipway run --resume %s`\n", out.WaitingRun)
	}
	if out.Run == nil {
		return
	}
	if c.json {
		c.worse(outcomeExit(out.Run.Outcome))
	} else {
		c.reported(*out.Run)
	}
	if !yes && out.Run.Outcome == delivery.OutcomeFailed {
		c.exit = ExitOK // the run ended because it was rejected: that is what was asked
	}
}

func (c *Command) verify() *cobra.Command {
	var env, release string
	cmd := &cobra.Command{
		Use: "verify --env ENV | verify --provenance RELEASE", Short: "Check that what is deployed is the recorded release and healthy, or explain a release's provenance", Args: cobra.NoArgs,
		Example: "  slipway verify --env prod\n  slipway verify --provenance r-7f3a9c21d04e\n  slipway verify --provenance r-7f3a9c21d04e --env prod --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if release != "" {
				return c.provenance(cmd.Context(), delivery.ReleaseID(release), delivery.Environment(env))
			}
			v, err := c.App.Verify(cmd.Context(), delivery.Environment(env))
			if err != nil {
				return err
			}
			if v.Verdict != delivery.Passed {
				c.worse(ExitFailed)
			}
			if c.json {
				c.print(v)
				return nil
			}
			fmt.Fprintf(c.Stdout, "%s  %s in %s: %s\n", v.Verdict, v.Release, v.Environment, v.Summary)
			for _, note := range v.Notes {
				fmt.Fprintln(c.Stdout, "  "+note)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment; with --provenance, whose trust policy to apply (default: all combined)")
	cmd.Flags().StringVar(&release, "provenance", "", "explain who signed this release and what it was built from")
	cmd.MarkFlagsOneRequired("env", "provenance")
	return cmd
}

func (c *Command) logs() *cobra.Command {
	var follow bool
	var env string
	var lines int
	cmd := &cobra.Command{
		Use: "logs RUN [STEP] | logs --env ENV", Short: "Show the output of a run's steps, or of the service", Args: cobra.MaximumNArgs(2),
		Example: "  slipway logs latest\n  slipway logs latest train -f\n  slipway logs --env prod",
		RunE: func(cmd *cobra.Command, args []string) error {
			if env != "" {
				return c.App.ServiceLogs(cmd.Context(), delivery.Environment(env), lines, c.Stdout)
			}
			if len(args) == 0 {
				return fault.New(fault.Invalid, "a run or --env is required").Hint("name a run (`latest` is the newest), or pass --env for the service's own logs")
			}
			return c.App.Logs(cmd.Context(), args[0], strings.Join(args[1:], ""), follow, c.Stdout)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "follow the output until the run ends")
	cmd.Flags().StringVarP(&env, "env", "e", "", "show the service's own logs in this environment")
	cmd.Flags().IntVar(&lines, "lines", 100, "number of lines of the service's logs")
	return cmd
}

func (c *Command) up() *cobra.Command {
	return &cobra.Command{
		Use: "up", Short: "Start the services again after a reboot", Args: cobra.NoArgs, Example: "  slipway up",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.App.Up(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				c.print(all)
				return nil
			}
			for _, st := range all {
				fmt.Fprintf(c.Stdout, "%s  %s  %s  %s\n", st.Environment, st.Release, st.Health, st.URL)
			}
			return nil
		},
	}
}

func (c *Command) down() *cobra.Command {
	var env string
	var all bool
	cmd := &cobra.Command{
		Use: "down", Short: "Stop the service in an environment, or everything with --all", Args: cobra.NoArgs,
		Example: "  slipway down --env prod\n  slipway down --all",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if env == "" && !all {
				return fault.New(fault.Invalid, "an environment is required").Hint("pass --env ENV or --all")
			}
			stopped, err := c.App.Down(cmd.Context(), delivery.Environment(env))
			if err != nil {
				return err
			}
			if c.json {
				c.print(map[string]any{"stopped": stopped})
				return nil
			}
			for _, e := range stopped {
				fmt.Fprintf(c.Stdout, "%s is down\n", e)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment")
	cmd.Flags().BoolVar(&all, "all", false, "every environment, and the build daemon")
	cmd.MarkFlagsMutuallyExclusive("env", "all")
	return cmd
}

func (c *Command) cleanup() *cobra.Command {
	var what app.CleanupOptions
	cmd := &cobra.Command{
		Use: "cleanup", Short: "Remove files of old runs, unused content and old cache entries", Args: cobra.NoArgs,
		Example: "  slipway cleanup --dry-run\n  slipway cleanup --keep 5 --older 24h",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if what.Keep < 0 || what.Older < 0 {
				return fault.New(fault.Invalid, "invalid value --keep %d --older %s", what.Keep, what.Older).Hint("use zero or a positive value")
			}
			done, err := c.App.Cleanup(cmd.Context(), what)
			if err != nil {
				return err
			}
			if c.json {
				c.print(done)
				return nil
			}
			verb := map[bool]string{true: "would remove", false: "removed"}[what.DryRun]
			fmt.Fprintf(c.Stdout, "%s the files of %d runs and %d folders of content: %.1f MB\n", verb, len(done.Runs), done.Folders, float64(done.Bytes)/1e6)
			return nil
		},
	}
	cmd.Flags().IntVar(&what.Keep, "keep", 20, "number of finished runs, newest first, that keep their files")
	cmd.Flags().DurationVar(&what.Older, "older", 7*24*time.Hour, "minimum age of content and cache entries to remove")
	cmd.Flags().BoolVar(&what.DryRun, "dry-run", false, "only print what would be removed")
	return cmd
}

func (c *Command) registry() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use: "registry", Short: "Serve the embedded registry to other tools until interrupted", Args: cobra.NoArgs,
		Example: "  slipway registry\n  docker pull 127.0.0.1:5000/retail-api@sha256:...",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.App.ServeRegistry(cmd.Context(), addr, func(addr string) {
				if c.json {
					c.print(map[string]string{"address": addr})
					return
				}
				fmt.Fprintf(c.Stdout, "the registry is at %s\n", addr)
			})
		},
	}
	cmd.Flags().StringVar(&addr, "listen", "127.0.0.1:5000", "loopback address to listen on")
	return cmd
}

func (c *Command) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs, Example: "  slipway version --json",
		RunE: func(*cobra.Command, []string) error {
			if c.json {
				c.print(map[string]string{"version": c.Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
				return nil
			}
			fmt.Fprintf(c.Stdout, "slipway %s (%s, %s/%s)\n", c.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
