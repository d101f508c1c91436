package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
)

func (c *Command) cleanup() *cobra.Command {
	var opts app.CleanupOptions
	cmd := &cobra.Command{
		Use: "cleanup", Short: "Remove files of old runs, unused content and old cache entries", Args: noArgs,
		Long: `Remove files of old runs, content that can be built or downloaded again, and step
results in the cache that no run has used for a while. Records, the registry and what
is deployed are kept.`,
		Example: "  slipway cleanup --dry-run\n  slipway cleanup --keep 5 --older 24h",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.Keep < 0 || opts.Older < 0 {
				return usageError(cmd, "invalid value --keep %d --older %s", opts.Keep, opts.Older).Hint("use zero or a positive value")
			}
			result, err := c.App.Cleanup(cmd.Context(), opts)
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(result)
				return nil
			}
			verb := "removed"
			if opts.DryRun {
				verb = "would remove"
			}
			fmt.Fprintf(c.Stdout, "%s the files of %d runs, %d folders of content (%.1f MB) and %d cache entries\n",
				verb, len(result.Runs), result.Folders, float64(result.Bytes)/1e6, result.CacheEntries)
			if opts.DryRun {
				for _, item := range result.Items {
					fmt.Fprintf(c.Stdout, "%10.1f MB  %s\n", float64(item.Bytes)/1e6, item.Name)
				}
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&opts.Keep, "keep", 20, "number of finished runs, newest first, that keep their files")
	cmd.Flags().DurationVar(&opts.Older, "older", 7*24*time.Hour, "minimum age of content and cache entries to remove")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "only list what would be removed, with its size")
	return cmd
}
