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

func (c *Command) history() *cobra.Command {
	return group(&cobra.Command{
		Use: "history", Short: "Show and accept the history that a cluster keeps of an environment",
		Example: "  slipway history show --env prod\n  slipway history accept --env prod",
	}, c.showHistory(), c.acceptHistory())
}

func (c *Command) showHistory() *cobra.Command {
	return c.historyCommand(&cobra.Command{
		Use: "show --env ENV", Short: "Show the history that the target of an environment keeps, and which of it is signed", Args: noArgs,
		Long: "Show the history that the target of an environment keeps, and which of it is signed.\n" +
			"What no trusted key has signed is pending: it blocks nothing, approves nothing, and no rollback goes to\n" +
			"it. With --json the releases are whole, with every object.",
		Example: "  slipway history show --env prod\n  slipway history show --env prod --json",
	}, func(cmd *cobra.Command, env delivery.Environment) error {
		h, err := c.App.ShowHistory(cmd.Context(), env)
		if err != nil {
			return err
		}
		c.printHistory(h)
		return nil
	})
}

func (c *Command) acceptHistory() *cobra.Command {
	return c.historyCommand(&cobra.Command{
		Use: "accept --env ENV", Short: "Accept the pending records of the history that a target keeps", Args: noArgs,
		Long: "Accept the pending records of the history that the target of an environment keeps: those of a Slipway\n" +
			"that did not sign yet, or of a machine without the key. They are imported and signed, and printed as they\n" +
			"are accepted. Look at them with `slipway history show` first: whoever may write ConfigMaps in the\n" +
			"namespace could have made them up, and a rollback applies their objects with the rights of Slipway.",
		Example: "  slipway history accept --env prod",
	}, func(cmd *cobra.Command, env delivery.Environment) error {
		stop := func() {}
		if !c.json {
			stop = c.startProgress()
		}
		h, err := c.App.AcceptHistory(cmd.Context(), env)
		stop()
		if err != nil {
			return err
		}
		c.printHistory(h)
		return nil
	})
}

func (c *Command) historyCommand(cmd *cobra.Command, run func(*cobra.Command, delivery.Environment) error) *cobra.Command {
	var env string
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return run(cmd, delivery.Environment(env)) }
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment")
	requireOneOf(cmd, "env")
	return cmd
}

func (c *Command) printHistory(h app.History) {
	if c.json {
		c.printJSON(h)
		return
	}
	var rows [][]string
	for _, d := range h.Deployments {
		rows = append(rows, []string{string(d.Instance()), string(d.State), string(d.Run), d.By, c.formatDate(d.StartedAt), signedState(d.Unsigned, h)})
	}
	c.printTable("DEPLOYMENT STATE RUN BY SINCE RECORD", rows)
	if len(h.Releases) > 0 {
		fmt.Fprintln(c.Stdout)
	}
	for _, r := range h.Releases {
		c.printHistoryRelease(h, r)
	}
	for _, m := range h.Models {
		fmt.Fprintf(c.Stdout, "model %s  %s  %s  %s\n", m.ModelRef, m.Status, m.Digest.Short(), signedState(m.Unsigned, h))
	}
	fmt.Fprintf(c.Stdout, "\n%s\n", historySummary(h))
}

// printHistoryRelease shows what a rollback to the release would apply.
func (c *Command) printHistoryRelease(h app.History, r delivery.ReleaseRecord) {
	fmt.Fprintf(c.Stdout, "release %s  image %s@%s  %s\n", r.ID, r.Release.Image.Repository, r.Release.Image.Digest.Short(), signedState(r.Unsigned, h))
	if q := r.Quarantined; q != nil {
		fmt.Fprintf(c.Stdout, "  quarantined, %s: %s\n", signedState(q.Unsigned, h), q.Summary())
	}
	for _, name := range slices.Sorted(maps.Keys(h.Objects)) {
		if delivery.ReleaseID(name).Base() != r.ID {
			continue
		}
		if name != string(r.ID) {
			fmt.Fprintf(c.Stdout, "  as %s:\n", name)
		}
		for _, o := range h.Objects[name] {
			fmt.Fprintf(c.Stdout, "  %s\n", o)
		}
	}
}

func signedState(unsigned bool, h app.History) string {
	switch {
	case !unsigned:
		return "signed"
	case h.Accepted > 0:
		return "accepted"
	}
	return "pending"
}

func historySummary(h app.History) string {
	var parts []string
	if h.Accepted > 0 {
		parts = append(parts, fmt.Sprintf("%d records of the history of %s were pending, and are accepted", h.Accepted, h.Environment))
	}
	if h.Pending > 0 {
		parts = append(parts, fmt.Sprintf("%d records are pending: no trusted key has signed them. If they are yours: slipway history accept --env %s", h.Pending, h.Environment))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("no record of the history of %s is pending", h.Environment)
	}
	return strings.Join(parts, "\n")
}
