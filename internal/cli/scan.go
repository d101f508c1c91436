package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
)

// scan holds the commands about the scanner's database. The scan itself is a
// step of a run.
func (c *Command) scan() *cobra.Command {
	scan := &cobra.Command{Use: "scan", Short: "Manage the vulnerability database"}
	db := &cobra.Command{
		Use: "db", Short: "Manage the embedded scanner's vulnerability database, shared by all projects on this machine",
		Long: `Manage the embedded scanner's vulnerability database, shared by all projects on this
machine.

Runs that scan download it when it is older than a day. It is kept in the user's cache
folder or in $SLIPWAY_SCAN_DB, and downloaded from $SLIPWAY_SCAN_DB_URL if set.`,
	}
	db.AddCommand(
		c.scanDB("status", "Show the installed database and its age", c.App.ScanDatabaseStatus),
		c.scanDB("update", "Download a newer database, if available", c.App.UpdateScanDatabase),
		c.scanImport(),
	)
	scan.AddCommand(db)
	return scan
}

func (c *Command) scanDB(name, short string, do func(context.Context) (app.ScanDatabaseView, error)) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs, Example: "  slipway scan db " + name,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.showDB(cmd.Context(), do) },
	}
}

func (c *Command) scanImport() *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Install a database from a downloaded file", Args: cobra.ExactArgs(1),
		Example: "  slipway scan db import vulnerability-db_v6.tar.zst",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.showDB(cmd.Context(), func(ctx context.Context) (app.ScanDatabaseView, error) { return c.App.ImportScanDatabase(ctx, args[0]) })
		},
	}
}

func (c *Command) showDB(ctx context.Context, do func(context.Context) (app.ScanDatabaseView, error)) error {
	end := func() {}
	if !c.json { // JSON is one document, without the story of a download
		end = c.story()
	}
	v, err := do(ctx)
	end()
	if err != nil {
		return err
	}
	switch {
	case c.json:
		c.print(v)
	case v.BuiltAt.IsZero():
		fmt.Fprintf(c.Stdout, "no database found in %s\ndownload one with `slipway scan db update`\n", v.Path)
	default:
		state := map[bool]string{true: "new", false: "unchanged"}[v.Changed]
		fmt.Fprintf(c.Stdout, "%s database of %s (%s old), schema %s, %.1f MB, %s\n%s\n",
			v.Scanner, v.BuiltAt.Format(time.DateTime), v.Age, v.Schema, float64(v.Bytes)/1e6, state, v.Path)
	}
	return nil
}
