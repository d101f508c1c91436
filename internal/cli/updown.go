package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

func (c *Command) up() *cobra.Command {
	var watch, systemd bool
	cmd := &cobra.Command{
		Use: "up", Short: "Start the services again after a reboot", Args: noArgs,
		Long: "Start the services again after a reboot. One that was taken down with `slipway down` stays\ndown: deploy it again with `slipway run --env ENV --deploy-only`." + `

--watch stays, and starts all services again whenever their supervisor is killed, for
example for lack of memory. They get the variables of deploy.env from its environment.
--systemd writes a unit of systemd that runs it at every boot.`,
		Example: "  slipway up\n  slipway up --watch\n  slipway up --systemd",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if systemd {
				return c.writeUnit(cmd.Context())
			}
			if watch {
				return c.App.Watch(cmd.Context(), func(text string) { fmt.Fprintln(c.Stdout, text) })
			}
			all, err := c.App.Up(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(all)
				return nil
			}
			for _, st := range all {
				c.printUp(st)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "stay, and start them again when their supervisor dies")
	cmd.Flags().BoolVar(&systemd, "systemd", false, "write a unit of systemd that runs `slipway up --watch`")
	excludeEachOther(cmd, "watch", "systemd")
	return cmd
}

// writeUnit writes a unit of systemd and prints what to do with it.
func (c *Command) writeUnit(ctx context.Context) error {
	unit, err := c.App.WriteUnit(ctx)
	if err != nil {
		return err
	}
	if c.json {
		c.printJSON(unit)
		return nil
	}
	fmt.Fprintf(c.Stdout, "%s is written\nsecrets of deploy.env go into %s, mode 0600: NAME=VALUE lines\nenable it with `%s`\n", unit.Path, unit.Secrets, unit.Enable)
	return nil
}

// printUp shows whether a service runs again. One that was taken down stays down: its
// deployment has ended.
func (c *Command) printUp(st app.Status) {
	switch {
	case st.Release != "":
		fmt.Fprintf(c.Stdout, "%s  %s  %s  %s\n", st.Environment, st.Release, st.Health, st.URL)
	case st.DeploysNothing:
	case len(st.History) > 0 && st.History[0].State == delivery.Removed:
		d := st.History[0]
		fmt.Fprintf(c.Stdout, "%s  down since %s (%s): deploy it again with `%s`\n", st.Environment, c.formatTime(d.EndedAt), render.Indent(d.Reason), deployAgain(st.Environment))
	default:
		fmt.Fprintf(c.Stdout, "%s  nothing deployed: deploy the commit with `slipway run --env %s`\n", st.Environment, st.Environment)
	}
}

// deployAgain is the command that deploys the newest good release.
func deployAgain(env delivery.Environment) string {
	return fmt.Sprintf("slipway run --env %s --deploy-only", env)
}

func (c *Command) down() *cobra.Command {
	var env string
	var all bool
	var pid int
	cmd := &cobra.Command{
		Use: "down", Short: "Stop the service in an environment, or everything with --all", Args: noArgs,
		Long: `Stop the service in an environment, or everything with --all: every environment, the build
daemon, and all supervisors of the local target whose state folder was moved or removed,
which no other command finds; these also outside of any project. --pid ends one supervisor
of any project. ` + "`slipway ps`" + ` lists them.`,
		Example: "  slipway down --env prod\n  slipway down --all\n  slipway down --pid 4711",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if env == "" && !all && pid == 0 {
				return fault.New(fault.Invalid, "an environment is required").Hint("pass --env ENV or --all")
			}
			var stopped app.Stopped
			if pid != 0 {
				stopped, err = c.App.StopSupervisor(cmd.Context(), pid)
			} else {
				stopped, err = c.App.Down(cmd.Context(), delivery.Environment(env))
			}
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(stopped)
				return nil
			}
			c.printStopped(stopped)
			return nil
		},
	}
	cmd.Flags().StringVarP(&env, "env", "e", "", "environment")
	cmd.Flags().BoolVar(&all, "all", false, "every environment, the build daemon, and supervisors without a state folder")
	cmd.Flags().IntVar(&pid, "pid", 0, "the supervisor with this process ID, of whatever project")
	excludeEachOther(cmd, "env", "all", "pid")
	return cmd
}

func (c *Command) printStopped(stopped app.Stopped) {
	for _, s := range stopped.Supervisors {
		fmt.Fprintf(c.Stdout, "supervisor %d of %s has exited\n", s.PID, s.Home)
	}
	for _, e := range stopped.Environments {
		fmt.Fprintf(c.Stdout, "%s is down\n", e)
	}
	if len(stopped.Environments) == 1 {
		fmt.Fprintf(c.Stdout, "deploy it again with `%s`\n", deployAgain(stopped.Environments[0]))
	}
}
