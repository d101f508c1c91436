// Package dns01 proves no domain by DNS.
package dns01

import (
	"strings"
	"time"
)

// Options are the options of a client.
type Options struct{ RecursiveNameservers []string }

// Client looks nothing up.
type Client struct{}

// NewClient returns a client that looks nothing up.
func NewClient(*Options) *Client { return &Client{} }

// SetDefaultClient does nothing.
func SetDefaultClient(*Client) {}

// ChallengeOption changes nothing.
type ChallengeOption func()

// CondOptions returns an option that changes nothing.
func CondOptions(bool, ...ChallengeOption) ChallengeOption { return nil }

// DisableAuthoritativeNssPropagationRequirement returns an option that changes nothing.
func DisableAuthoritativeNssPropagationRequirement() ChallengeOption { return nil }

// DisableRecursiveNSsPropagationRequirement returns an option that changes nothing.
func DisableRecursiveNSsPropagationRequirement() ChallengeOption { return nil }

// PropagationWait returns an option that changes nothing.
func PropagationWait(time.Duration, bool) ChallengeOption { return nil }

// UnFqdn returns the name without the dot at its end. Traefik reads with it the server
// name of every TLS handshake.
func UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }
