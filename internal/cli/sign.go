package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// provenance explains a release's chain.
func (c *Command) provenance(ctx context.Context, id delivery.ReleaseID, env delivery.Environment) error {
	p, err := c.App.Provenance(ctx, id, env)
	if err != nil {
		return err
	}
	if p.Verdict != delivery.Passed {
		c.worse(ExitFailed)
	}
	if c.json {
		c.print(p)
		return nil
	}
	fmt.Fprintf(c.Stdout, "%s  %s\n", p.Verdict, p.Release)
	for _, l := range p.Checks {
		mark := map[delivery.Verdict]string{delivery.Passed: "ok", delivery.Failed: "no", delivery.Unavailable: "??"}[l.Verdict]
		if l.Verdict != delivery.Passed && !l.Required {
			mark = "--" // not demanded
		}
		fmt.Fprintf(c.Stdout, "  %s  %-20s  %s\n", mark, l.Name, l.Text)
		for _, d := range l.Details {
			fmt.Fprintf(c.Stdout, "%28s%s\n", "", d)
		}
		if l.Required && l.Hint != "" {
			fmt.Fprintf(c.Stdout, "%28s-> %s\n", "", l.Hint)
		}
	}
	return nil
}

func (c *Command) keys() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Manage signing keys", Args: cobra.NoArgs}
	cmd.AddCommand(c.generateKey())
	return cmd
}

func (c *Command) generateKey() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "generate", Short: "Generate a signing key outside the repository, and write cosign.pub into it", Args: cobra.NoArgs,
		Long:    "Generate a signing key outside the repository, and write cosign.pub into it.\n\nThe passphrase is read from COSIGN_PASSWORD; without one, anyone who can read the\nfile can use the key.",
		Example: "  COSIGN_PASSWORD=... slipway keys generate\n  slipway keys generate --dir ~/keys/retail",
		RunE: func(cmd *cobra.Command, _ []string) error {
			pair, err := c.App.GenerateKey(cmd.Context(), dir)
			if err != nil {
				return err
			}
			c.generated(pair)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder for the private key (default: the user configuration folder)")
	return cmd
}

func (c *Command) generated(pair app.KeyPair) {
	if c.json {
		c.print(pair)
		return
	}
	fmt.Fprintf(c.Stdout, "wrote %s (keep it secret)\nwrote %s (commit it)\nnext: export COSIGN_KEY=%s, and in slipway.yaml\n  sign: {key: \"${COSIGN_KEY}\", passphrase: \"${COSIGN_PASSWORD}\"}\n  environments: {prod: {trust: {keys: [cosign.pub], require: [signature, provenance]}}}\n", pair.PrivatePath, pair.PublicPath, pair.PrivatePath)
}
