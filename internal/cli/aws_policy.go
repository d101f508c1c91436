package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) awsPolicy() *cobra.Command {
	var o app.AccountPolicyOptions
	var env string
	var explain, trust bool
	cmd := &cobra.Command{
		Use: "policy", Short: "Print the policies that the project needs in AWS", Args: noArgs,
		Long: `Print the policies of the project's roles, as IAM takes them: exactly what slipway.yaml
makes Slipway call, and no more. AWS is not asked, and nothing is changed.

One role or policy is printed as its document, several as an object by their names.
--role takes a role's name, or execution (what jobs of SageMaker may do), approver and
reader (policies for people), or boundary (the most that any role may ever do).
--explain shows for every statement which steps need it, by which calls, and why.`,
		Example: "  slipway aws policy\n  slipway aws policy --explain\n  slipway aws policy --env prod --role retail-deploy-prod\n" +
			"  slipway aws policy --role execution --trust\n  slipway aws policy --role approver > approver.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Environment = delivery.Environment(env)
			all, err := c.App.AccountPolicies(cmd.Context(), o)
			switch {
			case err != nil:
				return err
			case c.json:
				c.printJSON(all)
			case explain:
				c.explainPolicies(all)
			default:
				return c.printPolicies(all, trust)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&env, "env", "", "only what is of this environment alone")
	cmd.Flags().StringVar(&o.Role, "role", "", "only this role, or execution, approver, reader or boundary")
	cmd.Flags().BoolVar(&trust, "trust", false, "print who may assume roles, instead of what they may do")
	cmd.Flags().BoolVar(&explain, "explain", false, "say why each statement is there")
	return cmd
}

// printPolicies prints one document as it is, and several by their names.
func (c *Command) printPolicies(all []app.AccountPolicy, trust bool) error {
	var out bytes.Buffer
	documents := map[string]json.RawMessage{}
	for _, p := range all {
		switch {
		case !trust:
			documents[p.Name] = p.Policy
		case p.Trust != nil:
			documents[p.Name] = p.Trust
		}
	}
	raw, err := json.Marshal(documents)
	if len(documents) == 1 {
		for _, d := range documents {
			raw = d
		}
	}
	if err == nil {
		err = json.Indent(&out, raw, "", "  ")
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(c.Stdout, out.String())
	return nil
}

func (c *Command) explainPolicies(all []app.AccountPolicy) {
	for i, p := range all {
		if i > 0 {
			fmt.Fprintln(c.Stdout)
		}
		fmt.Fprintf(c.Stdout, "%s: %s\n", p.Name, p.Why)
		for _, s := range p.Statements {
			c.explainStatement(s)
		}
	}
}

func (c *Command) explainStatement(s app.AccountStatement) {
	fmt.Fprintf(c.Stdout, "\n  %s: %s\n", s.Sid, strings.Join(s.Actions, ", "))
	for _, line := range [][2]string{{"by", strings.Join(s.Principals, ", ")}, {"on", strings.Join(s.Resources, ", ")}, {"if", strings.Join(s.Conditions, ", and ")}} {
		if line[1] != "" {
			fmt.Fprintf(c.Stdout, "    %s %s\n", line[0], line[1])
		}
	}
	for _, n := range s.Needs {
		what := n.Step
		if n.Call != "" {
			what += ", " + n.Call
		}
		fmt.Fprintf(c.Stdout, "    needed by %s: %s\n", what, n.Why)
	}
}
