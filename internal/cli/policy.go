package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) policy() *cobra.Command {
	return group(&cobra.Command{Use: "policy", Short: "Show what the operator allows", Example: "  slipway policy show"}, c.showPolicy())
}

func (c *Command) showPolicy() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use: "show", Short: "Show which rules hold here, and where they come from", Args: noArgs,
		Long: "Show which rules hold here, and where they come from. A policy lies outside of the repository:\n" +
			"in /etc/slipway/policy.yaml, in the user configuration folder (slipway/policy.yaml), where\n" +
			"$SLIPWAY_POLICY names it, as policy.yaml in the shared state, and in a cluster as the ConfigMap\n" +
			"slipway-policy (with --env). All of them hold; slipway.yaml may tighten them, never loosen them.",
		Example: "  slipway policy show\n  slipway policy show --env prod --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := c.App.ShowPolicy(cmd.Context(), delivery.Environment(env))
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(v)
				return nil
			}
			c.printPolicy(v)
			return nil
		},
	}
	cmd.Flags().StringVar(&env, "env", "", "environment; also reads the policy where it is deployed")
	return cmd
}

func (c *Command) printPolicy(v app.PolicyView) {
	for _, p := range v.Places {
		found := "none"
		if p.Found {
			found = "read"
		}
		fmt.Fprintf(c.Stdout, "%-5s %s\n", found, p.Place)
	}
	if len(v.Rules) == 0 {
		fmt.Fprintln(c.Stdout, "nothing is limited")
		return
	}
	fmt.Fprintln(c.Stdout)
	var rows [][]string
	for _, r := range v.Rules {
		rows = append(rows, []string{r.Key, ruleText(r), strings.Join(r.From, ", ")})
	}
	c.printTable("KEY RULE FROM", rows)
}

// ruleText is a rule in a few words.
func ruleText(r app.PolicyRule) string {
	var parts []string
	if r.Count > 0 {
		parts = append(parts, fmt.Sprintf("at least %d", r.Count))
	}
	switch {
	case r.Require:
		parts = append(parts, "required")
	case r.Limited && len(r.Allowed) == 0:
		parts = append(parts, "none")
	case r.Limited:
		parts = append(parts, "only "+strings.Join(r.Allowed, ", "))
	}
	return strings.Join(parts, ", ")
}
