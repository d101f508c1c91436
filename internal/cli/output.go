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
	if c.TerminalWidth != nil && c.TerminalWidth() > 0 {
		live := render.NewLive(c.Stderr, c.TerminalWidth, c.App.Clock)
		c.App.Sink = live
		return live.Close
	}
	c.App.Sink = &render.Lines{W: c.Stderr, Color: c.Color}
	return func() {}
}
