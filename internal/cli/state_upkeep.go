package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
)

func (c *Command) verifyState() *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "Check that nothing in the shared state is missing or changed", Args: noArgs,
		Long: "Check that nothing in the shared state is missing or changed: that each entry follows the one before it, that\n" +
			"each snapshot is what the entries come to, and that the content of each blob has its digest. All of it is\n" +
			"read. The exit code is 1 if something is damaged.",
		Example: "  slipway state verify\n  slipway state verify --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			stop := c.startUpkeep()
			v, err := c.App.VerifyState(cmd.Context())
			stop()
			if err != nil {
				return err
			}
			if len(v.Problems) > 0 {
				c.setExit(ExitFailed)
			}
			if c.json {
				c.printJSON(v)
				return nil
			}
			c.printVerification(v)
			return nil
		},
	}
}

// startUpkeep shows progress, but where the result is one JSON document.
func (c *Command) startUpkeep() (stop func()) {
	if c.json {
		return func() {}
	}
	return c.startProgress()
}

func (c *Command) printVerification(v app.StateVerification) {
	entries := "no entries"
	if v.Last >= v.First {
		entries = fmt.Sprintf("entries %d to %d", v.First, v.Last)
	}
	fmt.Fprintf(c.Stdout, "%s: %s, %d snapshots, %d blobs (%s)\n", v.Location, entries, v.Snapshots, v.Blobs.Objects, formatSize(v.Blobs.Bytes))
	for _, p := range v.Problems {
		fmt.Fprintf(c.Stdout, "problem: %s\n", render.Indent(p.Problem))
		if p.Hint != "" {
			fmt.Fprintf(c.Stdout, "  -> %s\n", p.Hint)
		}
	}
	if len(v.Problems) == 0 {
		fmt.Fprintln(c.Stdout, "all of it is as it was written")
	}
}

// defaultStateAge is the age of what is removed from a shared state unless told otherwise.
const defaultStateAge = 90 * 24 * time.Hour

func (c *Command) pruneState() *cobra.Command {
	var opts app.PruneStateOptions
	cmd := &cobra.Command{
		Use: "prune", Short: "Remove old entries, blobs and logs from the shared state", Args: noArgs,
		Long: "Remove what is old from the shared state: step results, entries of which a snapshot keeps the outcome, blobs\n" +
			"that no record names, logs of runs, and what killed processes left. The records stay: runs, releases,\n" +
			"deployments, quarantines, approvals, models. The newest two snapshots and the entries after them stay, and\n" +
			"what is younger than 30 days. All of it is verified before; a damaged state is left as it is.",
		Example: "  slipway state prune --dry-run\n  slipway state prune --older 1440h",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.Older < app.MinStateAge {
				return usageError(cmd, "invalid value --older %s", opts.Older).Hint("use at least %s: a machine that was away for less could otherwise go on from where it was", app.MinStateAge)
			}
			stop := c.startUpkeep()
			result, err := c.App.PruneState(cmd.Context(), opts)
			stop()
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(result)
				return nil
			}
			verb := "removed"
			if result.DryRun {
				verb = "would remove"
			}
			fmt.Fprintf(c.Stdout, "%s %d entries (%s), %d snapshots, %d blobs (%s), %d logs (%s), %d cached results and %d objects of killed processes\n",
				verb, result.Entries.Objects, formatSize(result.Entries.Bytes), result.Snapshots.Objects, result.Blobs.Objects, formatSize(result.Blobs.Bytes),
				result.Logs.Objects, formatSize(result.Logs.Bytes), result.CacheEntries, result.Abandoned.Objects)
			return nil
		},
	}
	cmd.Flags().DurationVar(&opts.Older, "older", defaultStateAge, "minimum age of what is removed; at least 720h")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "only count what would be removed")
	return cmd
}
