package cli

import "github.com/spf13/cobra"

func (c *Command) aws() *cobra.Command {
	return group(&cobra.Command{
		Use: "aws", Short: "Look after what the project needs in its account of AWS",
		Example: "  slipway aws export terraform --check",
	}, c.awsExport())
}
