// Package cli is the command line: it reads flags, asks a use case, and shows
// the answer. Results go to stdout, the story to stderr.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// The exit codes: a contract with scripts and CI.
const (
	ExitOK             = 0
	ExitFailed         = 1 // a gate or step failed; production is as before
	ExitUsage          = 2 // usage or configuration
	ExitRolledBack     = 3 // deployed, failed, and rolled back
	ExitWaiting        = 4 // for an approval
	ExitRollbackFailed = 5 // the rollback itself failed
	ExitInterrupted    = 130
)

// Command is one start of the program.
type Command struct {
	App     *app.App // Sink is set here
	Args    []string
	Stdout  io.Writer
	Stderr  io.Writer
	Version string
	// TerminalWidth is stderr's width in columns, 0 when it is no terminal.
	TerminalWidth func() int
	Color         bool

	json   bool
	output string
	exit   int
}

// Main runs the command and returns the exit code. ctx ends on Ctrl-C.
func (c *Command) Main(ctx context.Context) int {
	root := c.root()
	root.SetArgs(c.Args)
	root.SetOut(c.Stdout)
	root.SetErr(c.Stderr)
	if cmd, err := root.ExecuteContextC(ctx); err != nil {
		return c.fail(ctx, cmd, err)
	}
	return c.exit
}

func (c *Command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway",
		Short: "Deliver code and model as one release, and roll both back together",
		Long: `Slipway takes a model-serving repository from a commit to verified production,
and rolls code, model and configuration back together when verification fails.`,
		Example: `  slipway init                  write a slipway.yaml for this repository
  slipway plan --env prod       show what a run would do, and why
  slipway run --env prod        run it
  slipway status --env prod     show what is deployed, since when, and who approved it`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return c.settle() },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print the result as JSON (same as -o json)")
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "text", "output format: text or json")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fault.New(fault.Invalid, "%s", err).Hint("see `%s --help`", cmd.CommandPath())
	})
	root.AddCommand(c.init(), c.plan(), c.run(), c.cancel(), c.status(), c.releases(), c.models(),
		c.decide("approve", true), c.decide("reject", false), c.rollback(), c.verify(), c.logs(),
		c.up(), c.down(), c.scan(), c.cleanup(), c.registry(), c.keys(), c.version())
	return root
}

func (c *Command) settle() error {
	switch c.output {
	case "text":
	case "json":
		c.json = true
	default:
		return fault.New(fault.Invalid, "invalid output format %q", c.output).Hint("use text or json")
	}
	return nil
}

// fail is the one place that renders an error and picks the exit code.
func (c *Command) fail(ctx context.Context, cmd *cobra.Command, err error) int {
	code := exitOf(ctx, err)
	if code == ExitInterrupted {
		said := "interrupted"
		if name := cmd.Name(); name == "run" || name == "rollback" {
			said += "; finish the run with `slipway run --resume`"
		}
		fmt.Fprintln(c.Stderr, said)
		return code
	}
	if c.json {
		c.print(map[string]any{"error": err.Error(), "kind": kindOf(err), "hint": fault.HintOf(err)})
	}
	fmt.Fprintf(c.Stderr, "slipway: %s\n", err)
	if h := fault.HintOf(err); h != "" {
		fmt.Fprintf(c.Stderr, "  -> %s\n", h)
	}
	return code
}

func kindOf(err error) fault.Kind {
	if isUsage(err) {
		return fault.Invalid
	}
	return fault.KindOf(err)
}

func exitOf(ctx context.Context, err error) int {
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return ExitInterrupted
	case isUsage(err), fault.Is(err, fault.Invalid), fault.Is(err, fault.NotFound), fault.Is(err, fault.Conflict):
		return ExitUsage
	}
	return ExitFailed
}

// isUsage recognises cobra's own complaints, which have no type.
func isUsage(err error) bool {
	for _, start := range []string{"unknown command", "accepts ", "requires at least", "required flag", "if any flags in the group", "at least one of the flags"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

// outcomeExit is the exit code of a run.
func outcomeExit(o delivery.Outcome) int {
	switch o {
	case delivery.OutcomeDeployed, delivery.OutcomeSucceeded, delivery.OutcomeSkipped:
		return ExitOK
	case delivery.OutcomeRolledBack:
		return ExitRolledBack
	case delivery.OutcomeWaiting:
		return ExitWaiting
	case delivery.OutcomeRollbackFailed:
		return ExitRollbackFailed
	case delivery.OutcomeCancelled:
		return ExitInterrupted
	}
	return ExitFailed
}

// worse keeps the first exit code that is not zero.
func (c *Command) worse(code int) {
	if c.exit == ExitOK {
		c.exit = code
	}
}

// print writes one JSON document.
func (c *Command) print(doc any) {
	enc := json.NewEncoder(c.Stdout)
	enc.SetEscapeHTML(false)
	if !c.json || c.lines() {
		_ = enc.Encode(doc)
		return
	}
	enc.SetIndent("", "  ")
	_ = enc.Encode(doc)
}

// lines tells whether JSON goes out as lines: where events come before the result.
func (c *Command) lines() bool { return c.App.Sink != nil }

// story connects what the run says to where it belongs, until the returned
// function is called.
func (c *Command) story() (end func()) {
	if c.json {
		c.App.Sink = &render.JSON{W: c.Stdout}
		return func() {}
	}
	if c.TerminalWidth != nil && c.TerminalWidth() > 0 {
		live := render.NewLive(c.Stderr, c.TerminalWidth, c.App.Clock)
		c.App.Sink = live
		return live.Close
	}
	c.App.Sink = &render.Lines{W: c.Stderr, Color: c.Color}
	return func() {}
}
