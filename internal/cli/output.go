package cli

import (
	"encoding/json"

	"github.com/slipway-cd/slipway/internal/cli/render"
)

// printJSON writes one JSON document: on one line where events came before it,
// indented otherwise.
func (c *Command) printJSON(doc any) {
	enc := json.NewEncoder(c.Stdout)
	enc.SetEscapeHTML(false)
	if events := c.App.Sink != nil; !events {
		enc.SetIndent("", "  ")
	}
	_ = enc.Encode(doc)
}

// startProgress connects the events of a run to the terminal, the log or the JSON
// output, until stop is called.
func (c *Command) startProgress() (stop func()) {
	if c.json {
		c.App.Sink = &render.JSON{W: c.Stdout}
		return func() {}
	}
	if c.isTerminal() {
		live := render.NewLive(c.Stderr, c.TerminalWidth, c.App.Clock, c.color())
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
