package cli

import (
	"time"

	"github.com/slipway-cd/slipway/internal/cli/render"
)

// zone is the user's time zone.
func (c *Command) zone() *time.Location {
	if c.Zone != nil {
		return c.Zone
	}
	return time.Local
}

// formatTime formats a time for people, in their zone, which it names: "14:03 +07"
// for today, "2026-11-28 14:03 +07" otherwise.
func (c *Command) formatTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	t, now := t.In(c.zone()), c.App.Clock().In(c.zone())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04 MST")
	}
	return c.formatDate(t)
}

// formatDate is formatTime with the date, for tables.
func (c *Command) formatDate(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(c.zone()).Format("2006-01-02 15:04 MST")
}

// formatSince adds how long ago it was.
func (c *Command) formatSince(t time.Time) string {
	return c.formatTime(t) + " (" + render.FormatAge(c.App.Clock().Sub(t)) + " ago)"
}
