// Package cli is the command line: it reads flags, calls a use case and prints
// its result. Results go to stdout, progress to stderr.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Command is one invocation of the program.
type Command struct {
	App     *app.App // its Sink is set here
	Args    []string
	Stdout  io.Writer
	Stderr  io.Writer
	Stdin   io.Reader // what the user answers; nil: no terminal
	Version string
	// TerminalWidth returns the width of stderr in columns, 0 if it is not a terminal.
	TerminalWidth func() int
	Zone          *time.Location // of the user; default: the machine's

	terminal  terminal
	json      bool
	output    string
	directory string
	state     string
	noColor   bool
	exit      int
}

// Main runs the command and returns the exit code. ctx ends on Ctrl-C.
func (c *Command) Main(ctx context.Context) int {
	defer c.cleanOutput()()
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
  slipway status --env prod     show what is deployed, since when, and who approved it
  slipway -C services/api plan  the same for the service in another folder`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return c.initFlags() },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print the result as JSON (same as -o json)")
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "text", "output format: text or json")
	root.PersistentFlags().StringVarP(&c.directory, "directory", "C", "", "run as if the command had been given in this folder")
	root.PersistentFlags().StringVar(&c.state, "state", "", "share the records with other machines at this URL or folder, instead of where slipway.yaml names; none: keep them here")
	root.PersistentFlags().BoolVar(&c.noColor, "no-color", false, "print without colors (also: NO_COLOR=1)")
	root.SetFlagErrorFunc(flagError)
	c.setHelp(root)
	group(root, c.init(), c.doctor(), c.plan(), c.run(), c.runs(), c.cancel(), c.status(), c.releases(), c.models(),
		c.approve(), c.reject(), c.rollback(), c.verify(), c.logs(),
		c.up(), c.down(), c.ps(), c.importExisting(), c.eject(), c.export(), c.aws(), c.scan(), c.sharedState(), c.history(), c.cleanup(), c.registry(), c.keys(), c.policy(), c.version())
	root.InitDefaultCompletionCmd(c.Args...)
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" { // its own argument checks have no type
			group(cmd)
			describeCompletion(cmd)
		}
	}
	return root
}

func (c *Command) initFlags() error {
	switch c.output {
	case "text":
	case "json":
		c.json = true
	default:
		return fault.New(fault.Invalid, "invalid output format %q", c.output).Hint("use text or json")
	}
	if err := c.changeDirectory(); err != nil {
		return err
	}
	c.App.State = c.state
	return nil
}

// changeDirectory makes --directory the folder that the command was given in.
func (c *Command) changeDirectory() error {
	if c.directory == "" {
		return nil
	}
	dir := c.directory
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(c.App.Dir, dir)
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return fault.New(fault.Invalid, "folder %q not found", c.directory).Hint("--directory is relative to the current folder, %s", c.App.Dir)
	}
	c.App.Dir = filepath.Clean(dir)
	return nil
}

// fail is the one place that prints an error and picks the exit code.
func (c *Command) fail(ctx context.Context, cmd *cobra.Command, err error) int {
	code := exitCode(ctx, err)
	if code == ExitInterrupted {
		text := "interrupted"
		if name := cmd.Name(); name == "run" || name == "rollback" {
			text += "; finish the run with `slipway run --resume`"
		}
		fmt.Fprintln(c.Stderr, text)
		return code
	}
	if c.json || c.output == "json" { // flags may not be evaluated yet
		c.json = true
		c.printJSON(map[string]any{"error": err.Error(), "kind": fault.KindOf(err), "hint": fault.HintOf(err)})
	}
	fmt.Fprintf(c.Stderr, "slipway: %s\n", render.Indent(err.Error()))
	if h := fault.HintOf(err); h != "" {
		fmt.Fprintf(c.Stderr, "  -> %s\n", render.Indent(h))
	}
	return code
}
