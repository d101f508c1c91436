package cli

import (
	"github.com/spf13/cobra"
)

func (c *Command) sharedState() *cobra.Command {
	return group(&cobra.Command{
		Use: "state", Short: "Look after the state that machines share",
		Long: "The records of a project are in .slipway on this machine, or with `state:` in slipway.yaml where all\n" +
			"machines share them: docs/state.md.",
		Example: "  slipway state show\n  slipway state push\n  slipway state verify\n  slipway state prune --dry-run\n" +
			"  slipway state adopt --env prod --why \"the bucket was moved\"",
	}, c.showState(), c.pushState(), c.pullState(), c.verifyState(), c.pruneState(), c.unlockState(), c.adoptState())
}
