package cli

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// verifyProvenance explains who signed a release and what it was built from.
func (c *Command) verifyProvenance(ctx context.Context, id delivery.ReleaseID, env delivery.Environment) error {
	p, err := c.App.Provenance(ctx, id, env)
	if err != nil {
		return err
	}
	if p.Verdict != delivery.Passed {
		c.setExit(ExitFailed)
	}
	if c.json {
		c.printJSON(p)
		return nil
	}
	fmt.Fprintf(c.Stdout, "%s  %s\n", p.Verdict, p.Release)
	for _, check := range p.Checks {
		fmt.Fprintf(c.Stdout, "  %s  %-20s  %s\n", checkMark(check.Verdict, check.Required), check.Name, render.Indent(check.Text))
		for _, d := range check.Details {
			fmt.Fprintf(c.Stdout, "%28s%s\n", "", render.Indent(d))
		}
		if check.Required && check.Hint != "" {
			fmt.Fprintf(c.Stdout, "%28s-> %s\n", "", render.Indent(check.Hint))
		}
	}
	return nil
}

func checkMark(v delivery.Verdict, required bool) string {
	switch {
	case v == delivery.Passed:
		return "ok"
	case !required:
		return "--"
	case v == delivery.Unavailable:
		return "??"
	}
	return "no"
}
