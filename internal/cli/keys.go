package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
)

func (c *Command) keys() *cobra.Command {
	return group(&cobra.Command{Use: "keys", Short: "Manage signing keys", Example: "  slipway keys generate"}, c.generateKey())
}

func (c *Command) generateKey() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "generate", Short: "Generate a signing key outside the repository, and write cosign.pub into it", Args: noArgs,
		Long:    "Generate a signing key outside the repository, and write cosign.pub into it.\n\nThe passphrase is read from COSIGN_PASSWORD; without one, anyone who can read the\nfile can use the key.",
		Example: "  COSIGN_PASSWORD=... slipway keys generate\n  slipway keys generate --dir ~/keys/retail",
		RunE: func(cmd *cobra.Command, _ []string) error {
			pair, err := c.App.GenerateKey(cmd.Context(), dir)
			if err != nil {
				return err
			}
			c.printKeyPair(pair)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder for the private key (default: the user configuration folder)")
	return cmd
}

func (c *Command) printKeyPair(pair app.KeyPair) {
	if c.json {
		c.printJSON(pair)
		return
	}
	fmt.Fprintf(c.Stdout, "wrote %s (keep it secret)\nwrote %s (commit it)\nnext: export COSIGN_KEY=%s, and in slipway.yaml\n  sign: {key: \"${COSIGN_KEY}\", passphrase: \"${COSIGN_PASSWORD}\"}\n  environments: {prod: {trust: {keys: [cosign.pub], require: [signature, provenance]}}}\n",
		pair.PrivatePath, pair.PublicPath, pair.PrivatePath)
}
