package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func (c *Command) releases() *cobra.Command {
	var limit int
	cmd := group(&cobra.Command{
		Use: "releases", Short: "List releases, newest first",
		Example: "  slipway releases\n  slipway releases show latest\n  slipway releases diff r-7f3a9c21d04e latest\n  slipway releases unquarantine r-7f3a9c21d04e --why \"the alarm was wrong\"",
	}, c.showRelease(), c.diffReleases(), c.quarantine(), c.unquarantine())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := c.App.Releases(cmd.Context(), limit)
		if err != nil {
			return err
		}
		if c.json {
			c.printJSON(all)
			return nil
		}
		var rows [][]string
		for _, r := range all {
			rows = append(rows, c.releaseRow(r))
		}
		c.printTable("RELEASE CREATED COMMIT IMAGE MODEL STATE", rows)
		return nil
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "maximum number to list; 0 for all")
	return cmd
}

func (c *Command) releaseRow(r delivery.ReleaseRecord) []string {
	model, state := "-", "ok"
	if r.Release.Model != nil {
		model = r.Release.Model.String()
	}
	if r.Unsigned {
		state = "pending: unsigned history"
	}
	if r.Quarantined != nil {
		state = "quarantined: " + r.Quarantined.Summary()
	}
	commit := delivery.Commit{SHA: r.Origin.Commit}.Short()
	if r.Origin.Dirty {
		commit += "+dirty"
	}
	return []string{string(r.ID), c.formatDate(r.CreatedAt), commit, r.Release.Image.Digest.Short(), model, state}
}

func (c *Command) showRelease() *cobra.Command {
	return &cobra.Command{
		Use: "show RELEASE", Short: "Show everything a release pins, and its deployments", Args: argsBetween(1, 1),
		Example: "  slipway releases show r-7f3a9c21d04e\n  slipway releases show latest --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.App.Release(cmd.Context(), delivery.ReleaseID(args[0]))
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(r)
				return nil
			}
			c.printRelease(r)
			return nil
		},
	}
}

func (c *Command) quarantine() *cobra.Command {
	var what app.Held
	var image, why string
	cmd := &cobra.Command{
		Use: "quarantine [RELEASE] --why REASON", Short: "Keep a release, an image or a model out of every environment", Args: argsBetween(0, 1),
		Long: "Keeps content out of every environment: a release under whatever name it is made again, or every release\n" +
			"with an image or a model version. What is deployed stays: roll it back with `slipway rollback`.",
		Example: "  slipway releases quarantine r-7f3a9c21d04e --why \"it leaks memory\"\n" +
			"  slipway releases quarantine --model retail-price-sensitivity-models:7 --why \"trained on wrong labels\"\n" +
			"  slipway releases quarantine --image sha256:DIGEST --why \"CVE-2026-1234\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				what.Release = delivery.ReleaseID(args[0])
			}
			what.Image = delivery.Digest(image)
			q, err := c.App.Quarantine(cmd.Context(), what, why)
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(q)
				return nil
			}
			fmt.Fprintf(c.Stdout, "%s is quarantined\n", what)
			return nil
		},
	}
	cmd.Flags().StringVar(&image, "image", "", "every release with the image of this digest, instead of a release")
	cmd.Flags().StringVar(&what.Model, "model", "", "every release with this model version, instead of a release")
	cmd.Flags().StringVar(&why, "why", "", "reason, kept in the history")
	return cmd
}

func (c *Command) unquarantine() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "unquarantine RELEASE --why REASON", Short: "Release a release from quarantine", Args: argsBetween(1, 1),
		Example: "  slipway releases unquarantine r-7f3a9c21d04e --why \"the alarm was wrong\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.App.Unquarantine(cmd.Context(), delivery.ReleaseID(args[0]), why); err != nil {
				return err
			}
			if c.json {
				c.printJSON(map[string]any{"release": args[0], "quarantined": false})
				return nil
			}
			fmt.Fprintf(c.Stdout, "%s is no longer quarantined\n", args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "reason, kept in the history")
	return cmd
}
