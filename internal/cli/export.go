package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
)

func (c *Command) export() *cobra.Command {
	return group(&cobra.Command{
		Use: "export", Short: "Write the project in the form of other tools",
		Example: "  slipway export terraform\n  slipway export cloudformation --out infra/slipway",
	}, c.exportAccount(app.Terraform, "Terraform and OpenTofu", "export"), c.exportAccount(app.CloudFormation, "CloudFormation", "export"))
}

// awsExport is the same below aws, where its check is looked for.
func (c *Command) awsExport() *cobra.Command {
	return group(&cobra.Command{
		Use: "export", Short: "Write what the project needs in its account for other tools",
		Example: "  slipway aws export terraform --check",
	}, c.exportAccount(app.Terraform, "Terraform and OpenTofu", "aws export"), c.exportAccount(app.CloudFormation, "CloudFormation", "aws export"))
}

func (c *Command) exportAccount(tool app.AccountTool, title, parent string) *cobra.Command {
	var dir string
	var check bool
	path := "slipway " + parent + " " + string(tool)
	cmd := &cobra.Command{
		Use: string(tool), Short: "Write what the project needs in its account of AWS for " + title, Args: noArgs,
		Long: "Writes what the project needs in its account of AWS for " + title + ", from slipway.yaml alone: roles with their\n" +
			"trust and rights, repository, bucket, groups, and for clusters a manifest beside it. What others may use too is\n" +
			"looked up, not made, and what holds data can't be destroyed by the way. Files that Slipway did not write stay.\n\n" +
			"With --check nothing is written: exit code 6 if the folder is not what would be written.",
		Example: "  " + path + "\n  " + path + " --out infra/slipway\n  " + path + " --check",
		RunE: func(cmd *cobra.Command, _ []string) error {
			do := c.App.ExportAccount
			if check {
				do = c.App.CheckAccountExport
			}
			r, err := do(cmd.Context(), tool, dir)
			if err != nil {
				return err
			}
			if len(r.Stale) > 0 {
				c.setExit(ExitDrift)
			}
			if c.json {
				c.printJSON(r)
				return nil
			}
			c.printAccountExport(r, check, path)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "out", "", "folder to write to (default: "+string(tool)+")")
	cmd.Flags().BoolVar(&check, "check", false, "compare the folder with what would be written, and write nothing")
	return cmd
}

func (c *Command) printAccountExport(r app.AccountExport, check bool, command string) {
	if !check {
		fmt.Fprintf(c.Stdout, "wrote %s\n", r.Dir)
		for _, f := range r.Files {
			fmt.Fprintf(c.Stdout, "  %s\n", f)
		}
		return
	}
	for _, s := range r.Stale {
		fmt.Fprintf(c.Stdout, "%s %s\n", filepath.Join(r.Dir, s.File), s.Why)
	}
	if len(r.Stale) > 0 {
		fmt.Fprintf(c.Stdout, "-> write it again with `%s`\n", command)
		return
	}
	fmt.Fprintf(c.Stdout, "%s is what slipway.yaml needs\n", r.Dir)
}
