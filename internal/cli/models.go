package cli

import (
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) models() *cobra.Command {
	var of string
	cmd := group(&cobra.Command{
		Use: "models", Short: "List model versions with their metrics and approvals",
		Example: "  slipway models\n  slipway models --json\n  slipway models show retail-price-sensitivity-models:3",
	}, c.showModel(), c.addModel())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := c.App.Models(cmd.Context(), of)
		if err != nil {
			return err
		}
		if c.json {
			c.printJSON(all)
			return nil
		}
		var rows [][]string
		for _, m := range all {
			status := string(m.Status)
			if m.Unsigned {
				status += ", unsigned history"
			}
			rows = append(rows, []string{m.String(), status, formatMetrics(m.Metrics), m.Digest.Short(), m.DecidedBy, m.Why})
		}
		c.printTable("MODEL STATUS METRICS DIGEST BY WHY", rows)
		return nil
	}
	cmd.Flags().StringVar(&of, "group", "", "model group (default: all)")
	return cmd
}

func (c *Command) showModel() *cobra.Command {
	return &cobra.Command{
		Use: "show GROUP:VERSION", Short: "Show a model version, every decision on it, and where it is deployed", Args: argsBetween(1, 1),
		Example: "  slipway models show retail-price-sensitivity-models:3",
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := c.App.Model(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(m)
				return nil
			}
			c.printModel(m)
			return nil
		},
	}
}

func (c *Command) addModel() *cobra.Command {
	var add app.ModelFiles
	cmd := &cobra.Command{
		Use: "add GROUP PATH --metrics FILE", Short: "Register an existing file or folder as a model version that waits for approval", Args: argsBetween(2, 2),
		Long: `Add stores the files of a model that was trained elsewhere, with its metrics (a JSON
object), and registers them as the next version of the group. It is pending approval;
once it is approved, ` + "`slipway run --model GROUP:N`" + ` delivers it.`,
		Example: "  slipway models add prices model.onnx --metrics metrics.json --why \"trained by the research team\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			add.Group, add.Path = args[0], args[1]
			m, err := c.App.AddModel(cmd.Context(), add)
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(m)
				return nil
			}
			fmt.Fprintf(c.Stdout, "%s is %s\n", m, m.Status)
			if m.Status == delivery.PendingApproval {
				fmt.Fprintf(c.Stdout, "approve it with `slipway approve %s`\n", m)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&add.Metrics, "metrics", "", "file with the model's metrics, a JSON object")
	cmd.Flags().StringVar(&add.Why, "why", "", "where the model comes from, kept in the records")
	requireOneOf(cmd, "metrics")
	return cmd
}

func (c *Command) printModel(m app.ModelDetails) {
	out := c.Stdout
	fmt.Fprintf(out, "%s  %s\n  digest    %s\n  metrics   %s\n  created   %s\n", m, m.Status, m.Digest, formatMetrics(m.Metrics), c.formatDate(m.CreatedAt))
	if m.Lineage.Run != "" {
		fmt.Fprintf(out, "  run       %s, commit %s\n", m.Lineage.Run, delivery.Commit{SHA: m.Lineage.Commit}.Short())
	}
	for _, d := range m.Lineage.Datasets {
		fmt.Fprintf(out, "  data      %s\n", formatDataset(d))
	}
	if !m.Lineage.AddedBy.IsZero() {
		fmt.Fprintf(out, "  added     by %s: %s\n", m.Lineage.AddedBy, render.Indent(m.Lineage.Why))
	}
	for _, d := range m.Deployments {
		fmt.Fprintf(out, "  deployed  %s in %s\n", d.Release, d.Environment)
	}
	if len(m.Decisions) == 0 {
		return
	}
	var rows [][]string
	for _, d := range m.Decisions {
		rows = append(rows, []string{c.formatDate(d.At), string(d.Status), d.By.String(), d.Why})
	}
	c.printTable("DECIDED STATUS BY WHY", rows)
}

// formatDataset returns what data was pinned, and by what.
func formatDataset(d delivery.Dataset) string {
	text := fmt.Sprintf("%s (%s, %d bytes", d.URI, count(d.Objects, "object"), d.Size)
	if d.Version != "" {
		text += ", version " + d.Version
	}
	if d.Content != "" {
		return text + ", " + string(d.Content) + ")"
	}
	return text + ", pinned as " + string(d.Digest) + ")"
}

// formatMetrics formats the numbers at the top level of m, sorted by name.
func formatMetrics(m delivery.Metrics) string {
	var out []string
	for name, v := range m {
		if f, ok := v.(float64); ok {
			out = append(out, fmt.Sprintf("%s=%.4g", name, f))
		}
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}
