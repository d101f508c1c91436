package cli

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/fault"
)

// maxAnswer bounds what a person types, in bytes.
const maxAnswer = 256

// confirmAccount prints the plan and asks. answer is what has to be typed; empty: the
// project's name. Without a terminal, --yes is required.
func (c *Command) confirmAccount(yes bool, question, answer string) func(app.AccountPlan) error {
	return func(p app.AccountPlan) error {
		if !c.json {
			c.printAccount(p)
		}
		if yes {
			return nil
		}
		if c.Stdin == nil || c.json {
			return fault.New(fault.Invalid, "changes to the account have to be confirmed, and standard input is not a terminal").Hint("look at `slipway aws plan`, then add --yes")
		}
		if answer == "" {
			answer = p.Project
		}
		fmt.Fprintf(c.Stderr, "%s [%s] ", question, answer)
		scan := bufio.NewScanner(c.Stdin)
		scan.Buffer(make([]byte, 0, maxAnswer), maxAnswer)
		if !scan.Scan() || strings.TrimSpace(scan.Text()) != answer {
			return fault.New(fault.Invalid, "not confirmed: nothing was changed").Hint("type %s to go on", answer)
		}
		return nil
	}
}

// printAccountDone reports progress.
func (c *Command) printAccountDone(ch app.AccountChange) {
	fmt.Fprintf(c.Stderr, "%s %s %s\n", past(string(ch.Action)), ch.Kind, render.Indent(ch.Name))
}

// past is the action as something that was done.
func past(action string) string {
	return map[string]string{"create": "created", "adopt": "adopted", "narrow": "adopted and narrowed", "repair": "repaired", "delete": "deleted"}[action]
}

// printAccount prints a plan.
func (c *Command) printAccount(p app.AccountPlan) {
	for _, at := range p.Places {
		fmt.Fprintf(c.Stdout, "%s in account %s, %s\n", p.Project, at.Account, at.Region)
		for _, ch := range at.Changes {
			c.printAccountChange(ch)
		}
		fmt.Fprintf(c.Stdout, "%s as they are to be\n", count(at.Unchanged, "resource"))
		for _, f := range at.Findings {
			fmt.Fprintf(c.Stdout, "finding: %s\n", render.Indent(f.String()))
		}
	}
	c.printAccountCosts(p, "cost")
	if n := p.Count(); n > 0 {
		fmt.Fprintf(c.Stdout, "%s to make\n", count(n, "change"))
	}
}

func (c *Command) printAccountChange(ch app.AccountChange) {
	fmt.Fprintf(c.Stdout, "%s %s %s", ch.Action, ch.Kind, render.Indent(ch.Name))
	if ch.Why != "" {
		fmt.Fprintf(c.Stdout, ": %s", render.Indent(ch.Why))
	}
	fmt.Fprintln(c.Stdout)
	for _, d := range ch.Differences {
		fmt.Fprintf(c.Stdout, "    %s\n", render.Indent(d.String()))
	}
	if ch.Hint != "" {
		fmt.Fprintf(c.Stdout, "    -> %s\n", render.Indent(ch.Hint))
	}
}

func (c *Command) printAccountCosts(p app.AccountPlan, label string) {
	for _, at := range p.Places {
		for _, cost := range at.Costs {
			when := "by use"
			if cost.Fixed {
				when = "monthly"
			}
			fmt.Fprintf(c.Stdout, "%s: %s, %s\n", label, when, cost)
		}
	}
}
