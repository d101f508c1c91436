package client

import "k8s.io/client-go/rest"

// UpgradeConfig returns a configuration for upgrades to other protocols: their
// RoundTrippers cannot be used twice, so it has no retries.
func (c *Client) UpgradeConfig() *rest.Config { return rest.CopyConfig(c.plainConfig) }

// ObserveError takes the error of a connection that was made with UpgradeConfig into
// account.
func (c *Client) ObserveError(err error) {
	if err != nil && unavailable(nil, err) {
		c.link.markInterrupted()
	}
}

// IsWarmingUp reports whether the API server may have started a moment ago. It may
// refuse then what it will allow.
func (c *Client) IsWarmingUp() bool { return c.link.warmingUp() }
