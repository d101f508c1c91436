package cli

import (
	"fmt"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// describeDrift describes a difference from the record, with its time.
func (c *Command) describeDrift(d app.Drift) string {
	text := d.String()
	if d.Manager != "" && !d.Time.IsZero() {
		text += ", " + c.formatSince(d.Time)
	}
	return text
}

// driftEntries returns what differs from the record, for a status.
func (c *Command) driftEntries(b *block, st app.Status) attention {
	out := attention{label: "drift", kind: "difference"}
	for _, d := range st.Drift {
		out.entries = append(out.entries, b.labelled("drift", c.describeDrift(d), maxFieldLines))
	}
	if n := len(out.entries); n > 0 {
		hint := fmt.Sprintf("-> undo it with `slipway run --env %s`", st.Environment)
		out.entries[0] = append(out.entries[0], b.labelled("", hint, maxFieldLines)...)
	}
	return out
}

// printDrift prints what differs from the record and, for an environment, how to undo
// it.
func (c *Command) printDrift(found []app.Drift, env delivery.Environment) {
	for _, d := range found {
		fmt.Fprintf(c.Stdout, "differs from the record: %s\n", c.describeDrift(d))
	}
	if len(found) > 0 && env != "" {
		fmt.Fprintf(c.Stdout, "-> undo it with `slipway run --env %s`\n", env)
	}
}
