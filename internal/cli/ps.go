package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
)

func (c *Command) ps() *cobra.Command {
	return &cobra.Command{
		Use: "ps", Short: "List the supervisors of the local target, of all projects", Args: noArgs,
		Long: `List the supervisors of the local target that run for you on this machine, and what they serve,
whatever project they are of: also those whose state folder was moved or removed. It needs
no project.`,
		Example: "  slipway ps\n  slipway ps --json\n  slipway down --pid 4711",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.App.ListSupervisors(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				if all == nil {
					all = []app.Supervisor{}
				}
				c.printJSON(all)
				return nil
			}
			c.printSupervisors(all)
			return nil
		},
	}
}

func (c *Command) printSupervisors(all []app.Supervisor) {
	if len(all) == 0 {
		fmt.Fprintln(c.Stdout, "no supervisor of the local target runs for you on this machine")
		return
	}
	var rows [][]string
	var lost []app.Supervisor
	for _, s := range all {
		if s.IsLost() {
			lost = append(lost, s)
		}
		row := func(about ...string) {
			rows = append(rows, append([]string{strconv.Itoa(s.PID)}, append(about, s.Home)...))
		}
		if len(s.Services) == 0 {
			row("-", "-", "-", "-")
		}
		for _, service := range s.Services {
			row(service.Service, string(service.Environment), orDash(string(service.Release)), service.URL)
		}
	}
	c.printTable("PID SERVICE ENVIRONMENT RELEASE URL FOLDER", rows)
	for _, s := range lost {
		where := "was removed"
		if s.MovedTo != "" {
			where = "was moved to " + s.MovedTo
		}
		fmt.Fprintf(c.Stdout, "%d: its state folder %s %s; end it with `slipway down --pid %d`\n", s.PID, s.Home, where, s.PID)
	}
}
