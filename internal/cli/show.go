package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// table writes rows in columns. header holds one word for each; spaces before the
// first indent it.
func (c *Command) table(header string, rows [][]string) {
	w := tabwriter.NewWriter(c.Stdout, 2, 4, 2, ' ', 0)
	words := strings.TrimLeft(header, " ")
	indent := header[:len(header)-len(words)]
	fmt.Fprintln(w, indent+strings.ReplaceAll(words, " ", "\t"))
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	_ = w.Flush()
}

func (c *Command) showPlan(p app.PlanView) {
	fmt.Fprintf(c.Stdout, "%s %s -> %s", p.Purpose, p.Service, p.Environment)
	if p.Commit.SHA != "" {
		fmt.Fprintf(c.Stdout, "  commit %s", p.Commit.Short())
	}
	if p.Commit.Dirty {
		fmt.Fprint(c.Stdout, " (dirty)")
	}
	if p.Replaces != "" {
		fmt.Fprintf(c.Stdout, "  replaces %s", p.Replaces)
	}
	fmt.Fprintln(c.Stdout)
	if p.Skip != "" {
		fmt.Fprintf(c.Stdout, "nothing to do: %s\n", p.Skip)
		return
	}
	var rows [][]string
	for _, s := range p.Steps {
		needs := strings.Join(s.Needs, ",")
		if needs == "" {
			needs = "-"
		}
		rows = append(rows, []string{s.Name, string(s.Action), needs, s.Reason})
	}
	c.table("STEP ACTION NEEDS WHY", rows)
	c.showChanges(p)
}

// showChanges shows what would become different in the place, as far as it can
// tell.
func (c *Command) showChanges(p app.PlanView) {
	if len(p.Changes) == 0 {
		return
	}
	fmt.Fprintf(c.Stdout, "\nin %s:\n", p.Environment)
	for _, ch := range p.Changes {
		fmt.Fprintf(c.Stdout, "%s %s %s\n", ch.Action, ch.Kind, ch.Name)
		if ch.Action != "change" {
			continue // a whole new object is in the manifests
		}
		for line := range strings.Lines(ch.Diff) {
			fmt.Fprintf(c.Stdout, "    %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
}

func (c *Command) status() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use: "status", Short: "Show what is deployed, since when, who approved it, and what it replaced", Args: cobra.NoArgs,
		Example: "  slipway status\n  slipway status --env prod --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.App.Status(cmd.Context(), delivery.Environment(env))
			if err != nil {
				return err
			}
			switch {
			case c.json && env != "":
				c.print(all[0])
			case c.json:
				c.print(all)
			default:
				for _, st := range all {
					c.showStatus(st)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment (default: all)")
	return cmd
}

func (c *Command) showStatus(st app.Status) {
	out := c.Stdout
	if st.Release == "" {
		fmt.Fprintf(out, "%s  nothing deployed\n", st.Environment)
	} else {
		fmt.Fprintf(out, "%s  %s  %s\n", st.Environment, st.Release, st.Health)
		fmt.Fprintf(out, "  url       %s\n  commit    %s\n  image     %s\n", st.URL, st.Commit, st.Image.Reference)
		if st.Model != nil {
			fmt.Fprintf(out, "  model     %s  %s\n", st.Model, st.Model.Digest)
		}
		fmt.Fprintf(out, "  since     %s (%s ago), by %s\n", st.Since.Format(time.RFC3339), render.FormatAge(c.App.Clock().Sub(st.Since)), st.By)
		if st.Replaced != "" {
			fmt.Fprintf(out, "  replaced  %s\n", st.Replaced)
		}
	}
	if st.InProgress != nil {
		fmt.Fprintf(out, "  entering  %s (run %s): not accepted yet\n", st.InProgress.Release, st.InProgress.Run)
	}
	for _, n := range st.Notes {
		fmt.Fprintf(out, "  note      %s\n", n)
	}
	for _, id := range st.Unfinished {
		fmt.Fprintf(out, "  run       %s is unfinished\n", id)
	}
	for _, q := range st.Quarantined {
		fmt.Fprintf(out, "  quarantined %s: %s\n", q.Release, q.Reason)
	}
	c.showHistory(st.History)
	fmt.Fprintln(out)
}

func (c *Command) showHistory(history []delivery.Deployment) {
	if len(history) == 0 {
		return
	}
	var rows [][]string
	for _, d := range history {
		rows = append(rows, []string{d.StartedAt.Format("2006-01-02 15:04:05"), string(d.Release), string(d.State), d.By, d.Reason})
	}
	c.table("STARTED RELEASE STATE BY REASON", rows)
}

func (c *Command) releases() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "releases", Short: "List releases, newest first", Args: cobra.NoArgs,
		Example: "  slipway releases\n  slipway releases show r-7f3a9c21d04e\n  slipway releases unquarantine r-7f3a9c21d04e --why \"the alarm was wrong\"",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.App.Releases(cmd.Context(), limit)
			if err != nil {
				return err
			}
			if c.json {
				c.print(all)
				return nil
			}
			var rows [][]string
			for _, r := range all {
				rows = append(rows, releaseRow(r))
			}
			c.table("RELEASE CREATED COMMIT IMAGE MODEL STATE", rows)
			return nil
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "maximum number to list; 0 for all")
	cmd.AddCommand(c.showRelease(), c.unquarantine())
	return cmd
}

func releaseRow(r delivery.ReleaseRecord) []string {
	model, state := "-", "ok"
	if r.Release.Model != nil {
		model = r.Release.Model.String()
	}
	if r.Quarantined != nil {
		state = "quarantined: " + r.Quarantined.Reason
	}
	commit := delivery.Commit{SHA: r.Release.Commit}.Short()
	if r.Release.Dirty {
		commit += "+dirty"
	}
	return []string{string(r.ID), r.CreatedAt.Format("2006-01-02 15:04:05"), commit, r.Release.Image.Digest.Short(), model, state}
}

func (c *Command) showRelease() *cobra.Command {
	return &cobra.Command{
		Use: "show RELEASE", Short: "Show everything a release pins, and its deployments", Args: cobra.ExactArgs(1),
		Example: "  slipway releases show r-7f3a9c21d04e",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.App.Release(cmd.Context(), delivery.ReleaseID(args[0]))
			if err != nil {
				return err
			}
			c.json = true // a record is JSON by nature
			c.print(r)
			return nil
		},
	}
}

func (c *Command) unquarantine() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "unquarantine RELEASE --why REASON", Short: "Release a release from quarantine", Args: cobra.ExactArgs(1),
		Example: "  slipway releases unquarantine r-7f3a9c21d04e --why \"the alarm was wrong\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.App.Unquarantine(cmd.Context(), delivery.ReleaseID(args[0]), why); err != nil {
				return err
			}
			if c.json {
				c.print(map[string]any{"release": args[0], "quarantined": false})
				return nil
			}
			fmt.Fprintf(c.Stdout, "%s is no longer quarantined\n", args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "reason, kept in the history")
	return cmd
}

func (c *Command) models() *cobra.Command {
	var group string
	cmd := &cobra.Command{
		Use: "models", Short: "List model versions with their metrics and approvals", Args: cobra.NoArgs,
		Example: "  slipway models\n  slipway models --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.App.Models(cmd.Context(), group)
			if err != nil {
				return err
			}
			if c.json {
				c.print(all)
				return nil
			}
			var rows [][]string
			for _, m := range all {
				rows = append(rows, []string{m.String(), string(m.Status), numbers(m.Metrics), m.Digest.Short(), m.DecidedBy, m.Why})
			}
			c.table("MODEL STATUS METRICS DIGEST BY WHY", rows)
			return nil
		},
	}
	cmd.Flags().StringVar(&group, "group", "", "model group (default: all)")
	return cmd
}
