package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/textline"
)

func (c *Command) init() *cobra.Command {
	var opts app.InitOptions
	cmd := &cobra.Command{
		Use: "init", Short: "Write a commented slipway.yaml based on what the repository contains", Args: noArgs,
		Long: "Writes a slipway.yaml with what the repository contains: the Dockerfile of its server, the build context and the\n" +
			"port, its health and prediction routes, training and evaluation, data, and the test commands of the CI. Comments\n" +
			"name the place of every value. The file is planned right away, and what is missing for a run is listed. In a\n" +
			"repository with several services it lists them, and writes nothing.\n\n" +
			"With --from it also takes what a pipeline of GitHub Actions or GitLab CI says (branches, ignored paths, tests,\n" +
			"image, cluster, manifests, health check), and lists the flaws of that pipeline by file and line.",
		Example: "  slipway init\n  slipway init --force\n  slipway init --from .github/workflows/deploy.yml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := c.App.Init(cmd.Context(), opts)
			if err != nil {
				return err
			}
			if len(r.Services) > 0 {
				c.setExit(ExitUsage)
			}
			if c.json {
				c.printJSON(r)
				return nil
			}
			c.printInit(r)
			return nil
		},
	}
	cmd.Flags().BoolVar(&opts.Force, "force", false, "overwrite an existing file")
	cmd.Flags().StringVar(&opts.From, "from", "", "pipeline to take from: a workflow of GitHub Actions, or .gitlab-ci.yml")
	return cmd
}

// maxFoundValue is how much of a value is shown: the whole is in the file.
const maxFoundValue = 60

func (c *Command) printInit(r app.InitResult) {
	if len(r.Services) > 0 {
		fmt.Fprintf(c.Stdout, "found %d services, and wrote nothing: each gets its own slipway.yaml\n", len(r.Services))
		for _, s := range r.Services {
			fmt.Fprintf(c.Stdout, "  %s\n", s.Command)
		}
		return
	}
	fmt.Fprintf(c.Stdout, "wrote %s\n", r.File)
	if len(r.Found) > 0 {
		var rows [][]string
		for _, f := range r.Found {
			rows = append(rows, []string{f.Key, textline.Printable(f.Value, maxFoundValue), f.Source})
		}
		c.printTable("KEY VALUE FOUND-IN", rows)
	} else {
		fmt.Fprintln(c.Stdout, r.Seen)
	}
	if len(r.Flaws) > 0 {
		fmt.Fprintf(c.Stdout, "\nflaws of %s and its policies: %d\n", r.From, len(r.Flaws))
		for _, f := range r.Flaws {
			fmt.Fprintf(c.Stdout, "  %s: %s: %s\n      instead: %s\n", f.At, f.Rule, f.What, f.Instead)
		}
	}
	if len(r.Missing) > 0 {
		fmt.Fprintln(c.Stdout, "\nmissing for a run:")
		for _, m := range r.Missing {
			fmt.Fprintf(c.Stdout, "  %s\n", m)
		}
	}
	if r.Planned != "" {
		fmt.Fprintf(c.Stdout, "\nplanned for %s: %d steps\n", r.Planned, r.Steps)
	}
	fmt.Fprintln(c.Stdout, "next: review it, commit it, and run `slipway plan`")
}
