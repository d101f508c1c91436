package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (c *Command) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs, Example: "  slipway version --json",
		RunE: func(*cobra.Command, []string) error {
			if c.json {
				c.printJSON(map[string]string{"version": c.Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
				return nil
			}
			fmt.Fprintf(c.Stdout, "slipway %s (%s, %s/%s)\n", c.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
