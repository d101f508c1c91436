package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"

	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/termtext"
)

// terminal is where a run's lines go, which are colored and redrawn in place. All other
// output is cleaned.
type terminal struct{ stdout, stderr io.Writer }

// cleanOutput makes all that the command prints safe to show, whoever wrote it: no text of
// a log, a cluster or a repository moves the cursor or colors a line. What package render
// draws goes around it, and is cleaned there. The function that it returns prints what is
// held back.
func (c *Command) cleanOutput() (flush func()) {
	given := terminal{c.Stdout, c.Stderr}
	c.terminal = given
	if c.isReadByRunner() {
		c.terminal = terminal{termtext.NewRunnerWriter(c.Stdout), termtext.NewRunnerWriter(c.Stderr)}
		c.Stdout, c.Stderr = c.terminal.stdout, c.terminal.stderr
	}
	stdout, stderr := termtext.NewWriter(c.Stdout), termtext.NewWriter(c.Stderr)
	c.Stdout, c.Stderr = stdout, stderr
	return func() {
		_ = stdout.Close() // of a reader that is gone
		_ = stderr.Close()
		c.Stdout, c.Stderr = given.stdout, given.stderr
	}
}

// isReadByRunner reports whether the runner of a CI takes commands from what is printed.
func (c *Command) isReadByRunner() bool {
	return slices.ContainsFunc([]string{"GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION"}, func(name string) bool { return c.App.Variable(name) != "" })
}

// printJSON writes one JSON document: on one line where events came before it,
// indented otherwise.
func (c *Command) printJSON(doc any) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if events := c.App.Sink != nil; !events {
		enc.SetIndent("", "  ")
	}
	_ = enc.Encode(doc)
	_, _ = c.Stdout.Write(termtext.JSON(out.Bytes()))
}

// startProgress connects the events of a run to the terminal, the log or the JSON
// output, until stop is called.
func (c *Command) startProgress() (stop func()) {
	if c.json {
		c.App.Sink = &render.JSON{W: c.Stdout}
		return func() {}
	}
	if c.isTerminal() {
		live := render.NewLive(c.terminal.stderr, c.TerminalWidth, c.App.Clock, c.color())
		c.App.Sink = live
		return live.Close
	}
	piped := render.NewPiped(c.Stderr, c.App.Clock)
	c.App.Sink = piped
	return piped.Close
}

func (c *Command) isTerminal() bool { return c.TerminalWidth != nil && c.TerminalWidth() > 0 }

// color reports whether to color what a terminal shows; see https://no-color.org.
func (c *Command) color() bool {
	return c.isTerminal() && !c.noColor && c.App.Variable("NO_COLOR") == ""
}
