package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
)

func (c *Command) showState() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show where the records are, how much there is, and who works on which run", Args: noArgs,
		Long: "Show where the records are, how much there is, and who works on which run. Ages are by the clock of the\n" +
			"place that is shared. An owner that was not heard of for a minute is replaced by the next command that needs\n" +
			"its run.",
		Example: "  slipway state show\n  slipway state show --json\n  slipway state show --state s3://bucket/retail",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := c.App.ShowState(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(v)
				return nil
			}
			c.printState(v)
			return nil
		},
	}
}

func (c *Command) printState(v app.StateView) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(c.Stdout, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	if !v.Shared {
		line("state", "%s (of this machine alone)", v.Location)
		c.printAnchors(v.Anchors)
		c.printOwners(v.Runs)
		return
	}
	line("state", "%s", v.Location)
	if v.Log == nil {
		line("log", "none yet: the first run begins it")
	} else {
		c.printLog(*v.Log, line)
		line("snapshots", "%d (%s)", v.Snapshots.Objects, formatSize(v.Snapshots.Bytes))
		line("blobs", "%d (%s): results, models and images", v.Blobs.Objects, formatSize(v.Blobs.Bytes))
		line("run logs", "%d (%s)", v.RunLogs.Objects, formatSize(v.RunLogs.Bytes))
	}
	if len(v.Environments) > 0 {
		var names []string
		for _, env := range v.Environments {
			names = append(names, string(env))
		}
		line("not shared", "%s: what is deployed there is on one machine, and each has that for itself", strings.Join(names, ", "))
	}
	c.printAnchors(v.Anchors)
	c.printOwners(v.Runs)
	if v.Unpushed {
		fmt.Fprintln(c.Stdout, "this machine has records that are not shared: bring them there with `slipway state push`, before the first run")
	}
}

// printAnchors prints which shared state the environments belong to.
func (c *Command) printAnchors(anchors []app.EnvironmentAnchor) {
	for _, a := range anchors {
		text := a.Problem
		switch m := a.Anchor.Mark; {
		case text != "":
		case m.Log == "":
			text = "belongs to no shared state"
		default:
			text = fmt.Sprintf("belongs to this state, as of entry %d", m.Entry)
		}
		if d := a.Anchor.Adopted; d != nil {
			text += fmt.Sprintf(" (adopted by %s, %s: %s)", d.By, c.formatTime(d.At), d.Why)
		}
		fmt.Fprintf(c.Stdout, "%-12s %s\n", a.Environment, text)
	}
}

func (c *Command) printLog(log app.LogView, line func(name, format string, args ...any)) {
	line("log", "%s, begun %s", log.ID, c.formatTime(log.Created))
	if log.Last == 0 {
		line("entries", "none")
		return
	}
	line("entries", "%d to %d (%s), the newest %s old", log.First, log.Last, formatSize(log.Entries.Bytes), render.FormatAge(log.Age.D()))
	if !log.PrunedAt.IsZero() {
		line("pruned", "up to entry %d, %s", log.First-1, c.formatTime(log.PrunedAt))
	}
}

func (c *Command) printOwners(runs []app.OwnedRun) {
	if len(runs) == 0 {
		fmt.Fprintln(c.Stdout, "no run is in progress")
		return
	}
	var rows [][]string
	for _, r := range runs {
		owner := orDash(r.Owner)
		if r.Here && r.Owner != "" {
			owner += " (here)"
		}
		heard := "-"
		if r.Beat != nil {
			heard = render.FormatAge(r.Beat.D()) + " ago"
			if r.Beat.D() >= time.Minute {
				heard += ": will be replaced"
			}
		}
		rows = append(rows, []string{string(r.Run), string(r.Environment), r.State, owner, heard})
	}
	c.printTable("RUN ENVIRONMENT STATE OWNER HEARD", rows)
}

func formatSize(bytes int64) string {
	if bytes < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

func (c *Command) unlockState() *cobra.Command {
	return &cobra.Command{
		Use: "unlock", Short: "Show why nothing has to be unlocked", Args: noArgs,
		Long: "Show why nothing has to be unlocked. Nothing is locked: every change of the records is an entry with a number\n" +
			"that only one machine can take. A run belongs to the machine that claimed it last. If that is not heard of\n" +
			"for a minute, by the clock of the place that is shared, the next command that needs the run takes it over,\n" +
			"and whatever the old owner still sends is refused.",
		Example: "  slipway state unlock\n  slipway run --resume 20261124-101502-k3f9",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := c.App.ShowState(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(struct {
					Locked bool           `json:"locked"`
					Runs   []app.OwnedRun `json:"runs"`
				}{false, v.Runs})
				return nil
			}
			fmt.Fprintln(c.Stdout, "nothing is locked: an owner that was not heard of for a minute is replaced by the next command that needs its run")
			c.printOwners(v.Runs)
			return nil
		},
	}
}
