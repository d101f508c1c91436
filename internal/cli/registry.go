package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/fault"
)

func (c *Command) registry() *cobra.Command {
	var addr, tokenFile string
	var writable bool
	cmd := &cobra.Command{
		Use: "registry", Short: "Serve the embedded registry to other tools until interrupted", Args: noArgs,
		Long: "Serve the embedded registry to other tools until interrupted.\n\n" +
			"Every program of this machine can read it. With --writable, those that have the\n" +
			"token can push: it is read from --token-file or $" + app.RegistryTokenVariable + ", and is the\n" +
			"password for any user name. Nothing can be deleted.",
		Example: "  slipway registry\n  docker pull 127.0.0.1:5000/retail-api@sha256:...\n\n" +
			"  " + app.RegistryTokenVariable + "=$(openssl rand -hex 16) slipway registry --writable",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tokenFile != "" && !writable {
				return fault.New(fault.Invalid, "--token-file is for a writable registry").Hint("add --writable")
			}
			return c.App.ServeRegistry(cmd.Context(), addr, writable, tokenFile, func(addr string) {
				if c.json {
					c.printJSON(map[string]string{"address": addr})
					return
				}
				fmt.Fprintf(c.Stdout, "the registry is at %s\n", addr)
			})
		},
	}
	cmd.Flags().StringVar(&addr, "listen", "127.0.0.1:5000", "loopback address to listen on")
	cmd.Flags().BoolVar(&writable, "writable", false, "let programs push that have the token")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`file` with the token that permits pushing")
	return cmd
}
