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
		Use: "init", Short: "Write a commented slipway.yaml by looking at the repository", Args: cobra.NoArgs,
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
			fmt.Fprintf(c.Stdout, "wrote %s\n%s\nnext: read it, commit it, and `slipway plan`\n", path, seen)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace an existing file")
	return cmd
}

func (c *Command) decide(verb string, yes bool) *cobra.Command {
	d := app.Decision{Approve: yes}
	short := map[bool]string{true: "Approve a model version, or let a waiting run into its environment", false: "Reject a model version, or stop a waiting run"}
	cmd := &cobra.Command{
		Use: verb + " RUN|GROUP:VERSION", Short: short[yes], Args: cobra.ExactArgs(1),
		Long:    short[yes] + ".\n\nThe run that waited for the decision goes on here; with --no-wait whoever runs\n`slipway run --resume RUN` continues it.",
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
	cmd.Flags().StringVar(&d.Why, "why", "", "reason; it stays in the records")
	cmd.Flags().StringVar(&d.By, "by", "", "who decides (default: $SLIPWAY_ACTOR, $GITHUB_ACTOR or $USER)")
	cmd.Flags().BoolVar(&d.NoWait, "no-wait", false, "only record it; do not continue the run here")
	return cmd
}

func (c *Command) decided(out app.DecisionResult, yes bool) {
	if c.json {
		c.print(out)
	} else if out.Model != nil {
		fmt.Fprintf(c.Stdout, "%s is %s\n", out.Model, out.Model.Status)
	}
	if out.WaitingRun != "" && !c.json {
		fmt.Fprintf(c.Stdout, "`slipway run --resume %s` continues the run\n", out.WaitingRun)
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
		Use: "verify --env ENV | verify --provenance RELEASE", Short: "Ask what serves whether it is the recorded release and healthy, or who signed a release; changes nothing", Args: cobra.NoArgs,
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
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment; with --provenance, the one whose trust policy counts (default: all of them)")
	cmd.Flags().StringVar(&release, "provenance", "", "explain who signed this release, and what it was made from")
	cmd.MarkFlagsOneRequired("env", "provenance")
	return cmd
}

func (c *Command) logs() *cobra.Command {
	var follow bool
	var env string
	var lines int
	cmd := &cobra.Command{
		Use: "logs RUN [STEP] | logs --env ENV", Short: "Show what the steps of a run printed, or the service itself", Args: cobra.MaximumNArgs(2),
		Example: "  slipway logs latest\n  slipway logs latest train -f\n  slipway logs --env prod",
		RunE: func(cmd *cobra.Command, args []string) error {
			if env != "" {
				return c.App.ServiceLogs(cmd.Context(), delivery.Environment(env), lines, c.Stdout)
			}
			if len(args) == 0 {
				return fault.New(fault.Invalid, "logs of what?").Hint("name a run (`latest` will do), or --env for the service's own")
			}
			return c.App.Logs(cmd.Context(), args[0], strings.Join(args[1:], ""), follow, c.Stdout)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run has ended")
	cmd.Flags().StringVarP(&env, "env", "e", "", "the service's own output in this environment")
	cmd.Flags().IntVar(&lines, "lines", 100, "how many lines of the service's output")
	return cmd
}

func (c *Command) up() *cobra.Command {
	return &cobra.Command{
		Use: "up", Short: "Bring the services back after a reboot", Args: cobra.NoArgs, Example: "  slipway up",
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
		Use: "down", Short: "Stop the service in an environment; with --all what is kept warm for builds, too", Args: cobra.NoArgs,
		Example: "  slipway down --env prod\n  slipway down --all",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if env == "" && !all {
				return fault.New(fault.Invalid, "down: which environment?").Hint("name it with --env, or --all")
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
	cmd.Flags().BoolVar(&all, "all", false, "every environment")
	cmd.MarkFlagsMutuallyExclusive("env", "all")
	return cmd
}

func (c *Command) cleanup() *cobra.Command {
	var what app.CleanupOptions
	cmd := &cobra.Command{
		Use: "cleanup", Short: "Remove files of old runs and content that can be made again; records and what serves stay", Args: cobra.NoArgs,
		Example: "  slipway cleanup --dry-run\n  slipway cleanup --keep 5 --older 24h",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if what.Keep < 0 || what.Older < 0 {
				return fault.New(fault.Invalid, "--keep %d --older %s", what.Keep, what.Older).Hint("give 0 or more")
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
	cmd.Flags().IntVar(&what.Keep, "keep", 20, "how many of the newest ended runs keep their files")
	cmd.Flags().DurationVar(&what.Older, "older", 7*24*time.Hour, "content that can be made again goes when it is older than this")
	cmd.Flags().BoolVar(&what.DryRun, "dry-run", false, "only say what would go")
	return cmd
}

func (c *Command) registry() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use: "registry", Short: "Show the embedded registry to other tools, until Ctrl-C", Args: cobra.NoArgs,
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
	cmd.Flags().StringVar(&addr, "listen", "127.0.0.1:5000", "loopback address")
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
