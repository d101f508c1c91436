package cli

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) models() *cobra.Command {
	var of string
	cmd := group(&cobra.Command{
		Use: "models", Short: "List model versions with their metrics and approvals",
		Example: "  slipway models\n  slipway models --json\n  slipway models show retail-price-sensitivity-models:3",
	}, c.showModel())
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
			rows = append(rows, []string{m.String(), string(m.Status), formatMetrics(m.Metrics), m.Digest.Short(), m.DecidedBy, m.Why})
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

func (c *Command) printModel(m app.ModelDetails) {
	out := c.Stdout
	fmt.Fprintf(out, "%s  %s\n  digest    %s\n  metrics   %s\n  created   %s\n", m, m.Status, m.Digest, formatMetrics(m.Metrics), m.CreatedAt.Format(time.RFC3339))
	if m.Lineage.Run != "" {
		fmt.Fprintf(out, "  run       %s, commit %s\n", m.Lineage.Run, delivery.Commit{SHA: m.Lineage.Commit}.Short())
	}
	for _, d := range m.Deployments {
		fmt.Fprintf(out, "  deployed  %s in %s\n", d.Release, d.Environment)
	}
	if len(m.Decisions) == 0 {
		return
	}
	var rows [][]string
	for _, d := range m.Decisions {
		rows = append(rows, []string{d.At.Format(time.DateTime), string(d.Status), d.By.String(), d.Why})
	}
	c.printTable("DECIDED STATUS BY WHY", rows)
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
