// Package http01 proves no domain by HTTP.
package http01

import "time"

// PathPrefix is where a proof would be.
const PathPrefix = "/.well-known/acme-challenge/"

// ChallengeOption changes nothing.
type ChallengeOption func()

// SetDelay returns an option that changes nothing.
func SetDelay(time.Duration) ChallengeOption { return nil }
