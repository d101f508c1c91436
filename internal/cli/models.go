package cli

import (
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) models() *cobra.Command {
	var group string
	cmd := &cobra.Command{
		Use: "models", Short: "List model versions with their metrics and approvals", Args: noArgs,
		Example: "  slipway models\n  slipway models --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.App.Models(cmd.Context(), group)
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
		},
	}
	cmd.Flags().StringVar(&group, "group", "", "model group (default: all)")
	return cmd
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
