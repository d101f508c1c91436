package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (c *Command) registry() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use: "registry", Short: "Serve the embedded registry to other tools until interrupted", Args: noArgs,
		Example: "  slipway registry\n  docker pull 127.0.0.1:5000/retail-api@sha256:...",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.App.ServeRegistry(cmd.Context(), addr, func(addr string) {
				if c.json {
					c.printJSON(map[string]string{"address": addr})
					return
				}
				fmt.Fprintf(c.Stdout, "the registry is at %s\n", addr)
			})
		},
	}
	cmd.Flags().StringVar(&addr, "listen", "127.0.0.1:5000", "loopback address to listen on")
	return cmd
}
