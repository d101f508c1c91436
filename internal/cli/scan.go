package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
)

// scan holds the commands for the scanner's database. The scan itself is a step of
// a run.
func (c *Command) scan() *cobra.Command {
	return group(
		&cobra.Command{Use: "scan", Short: "Manage the vulnerability database", Example: "  slipway scan db status"},
		group(
			&cobra.Command{
				Use: "db", Short: "Manage the embedded scanner's vulnerability database, shared by all projects on this machine",
				Long: `Manage the embedded scanner's vulnerability database, shared by all projects on this
machine.

Runs that scan download it when it is older than a day. It is kept in the user's cache
folder or in $SLIPWAY_SCAN_DB, and downloaded from $SLIPWAY_SCAN_DB_URL if set.`,
				Example: "  slipway scan db status\n  slipway scan db update",
			},
			c.scanDatabase("status", "Show the installed database and its age", c.App.ScanDatabaseStatus),
			c.scanDatabase("update", "Download a newer database, if available", c.App.UpdateScanDatabase),
			c.importScanDatabase(),
		))
}

type scanDatabaseUseCase func(context.Context) (app.ScanDatabaseView, error)

func (c *Command) scanDatabase(name, short string, do scanDatabaseUseCase) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: noArgs, Example: "  slipway scan db " + name,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runScanDatabase(cmd.Context(), do) },
	}
}

func (c *Command) importScanDatabase() *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Install a database from a downloaded file", Args: argsBetween(1, 1),
		Example: "  slipway scan db import vulnerability-db_v6.tar.zst",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runScanDatabase(cmd.Context(), func(ctx context.Context) (app.ScanDatabaseView, error) {
				return c.App.ImportScanDatabase(ctx, args[0])
			})
		},
	}
}

func (c *Command) runScanDatabase(ctx context.Context, do scanDatabaseUseCase) error {
	stop := func() {}
	if !c.json { // JSON is one document, without the progress of a download
		stop = c.startProgress()
	}
	v, err := do(ctx)
	stop()
	if err != nil {
		return err
	}
	switch {
	case c.json:
		c.printJSON(v)
	case v.BuiltAt.IsZero():
		fmt.Fprintf(c.Stdout, "no database found in %s\ndownload one with `slipway scan db update`\n", v.Path)
	default:
		state := "unchanged"
		if v.Changed {
			state = "new"
		}
		fmt.Fprintf(c.Stdout, "%s database of %s (%s old), schema %s, %.1f MB, %s\n%s\n",
			v.Scanner, c.formatDate(v.BuiltAt), v.Age, v.Schema, float64(v.Bytes)/1e6, state, v.Path)
	}
	return nil
}
