package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// printRelease shows what a release pins, where it comes from, and where it was
// deployed.
func (c *Command) printRelease(r app.ReleaseDetails) {
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(c.Stdout, "  %-10s%s\n", label, text)
		}
	}
	fmt.Fprintf(c.Stdout, "%s  %s\n", r.ID, r.Release.Service)
	if q := r.Quarantined; q != nil {
		line("state", fmt.Sprintf("quarantined since %s: %s", c.formatTime(q.Since), q.Summary()))
	}
	for _, q := range r.Quarantines {
		if !q.EndedAt.IsZero() {
			line("allowed", fmt.Sprintf("again by %s at %s: %s; quarantined before: %s", q.EndedBy, c.formatTime(q.EndedAt), q.EndedWhy, q.Summary()))
		}
	}
	line("created", fmt.Sprintf("%s, by run %s", c.formatTime(r.CreatedAt), r.Run))
	commit := r.Origin.Commit
	if r.Origin.Dirty {
		commit += " (dirty: with uncommitted changes)"
	}
	line("commit", commit)
	line("digest", string(r.Digest))
	line("image", fmt.Sprintf("%s@%s", r.Release.Image.Repository, r.Release.Image.Digest))
	if m := r.Release.Model; m != nil {
		line("model", fmt.Sprintf("%s  %s", m, m.Digest))
	}
	for _, text := range workloadLines(r.Release.Workload) {
		line("runs", text)
	}
	line("manifests", string(r.Release.Manifests))
	line("sbom", string(r.Origin.SBOM))
	line("signed", string(r.Origin.Provenance))
	for _, g := range r.Origin.GateResults {
		line("gate", strings.TrimSpace(fmt.Sprintf("%s  %s  %s", g.Verdict, g.Gate, g.Evidence)))
	}
	if len(r.Deployments) == 0 {
		line("deployed", "nowhere yet")
		return
	}
	var rows [][]string
	for _, d := range r.Deployments {
		rows = append(rows, []string{c.formatDate(d.StartedAt), string(d.Environment), string(d.State), d.By, d.Reason})
	}
	c.printTable("STARTED ENVIRONMENT STATE BY REASON", rows)
}

// workloadLines describes how a release runs.
func workloadLines(w delivery.Workload) []string {
	first := fmt.Sprintf("%d replicas, health at %s", w.Replicas, w.Health)
	if w.Ready != "" && w.Ready != w.Health {
		first += ", ready at " + w.Ready
	}
	if w.CPU > 0 {
		first += fmt.Sprintf(", %g CPUs", w.CPU)
	}
	if w.Memory > 0 {
		first += fmt.Sprintf(", %d MiB", w.Memory>>20)
	}
	out := []string{first}
	if len(w.Args) > 0 {
		out = append(out, "with "+strings.Join(w.Args, " "))
	}
	for _, name := range slices.Sorted(maps.Keys(w.Env)) {
		out = append(out, name+"="+w.Env[name])
	}
	return out
}

func (c *Command) diffReleases() *cobra.Command {
	return &cobra.Command{
		Use: "diff RELEASE RELEASE", Short: "Show how two releases differ: image, model, configuration, manifests", Args: argsBetween(2, 2),
		Example: "  slipway releases diff r-7f3a9c21d04e latest",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := c.App.DiffReleases(cmd.Context(), delivery.ReleaseID(args[0]), delivery.ReleaseID(args[1]))
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(d)
				return nil
			}
			c.printReleaseDiff(d)
			return nil
		},
	}
}

func (c *Command) printReleaseDiff(d app.ReleaseDiff) {
	fmt.Fprintf(c.Stdout, "%s -> %s\n", d.From, d.To)
	if d.Same {
		fmt.Fprintln(c.Stdout, "they are the same release: image, model and configuration are equal")
		return
	}
	for _, part := range []struct {
		name        string
		differences []app.Difference
	}{
		{"image", d.Image}, {"model", d.Model}, {"configuration", d.Configuration}, {"manifests", d.Manifests}, {"commit", d.Commit},
	} {
		if len(part.differences) == 0 {
			fmt.Fprintf(c.Stdout, "%s: the same\n", part.name)
			continue
		}
		fmt.Fprintf(c.Stdout, "%s:\n", part.name)
		for _, v := range part.differences {
			if v.From != "" {
				fmt.Fprintf(c.Stdout, "  - %s: %s\n", v.Name, v.From)
			}
			if v.To != "" {
				fmt.Fprintf(c.Stdout, "  + %s: %s\n", v.Name, v.To)
			}
		}
	}
}
