// Package dns has no DNS providers.
package dns

import (
	"github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/challenge"
)

// NewDNSChallengeProviderByName returns acme.ErrUnsupported.
func NewDNSChallengeProviderByName(string) (challenge.Provider, error) {
	return nil, acme.ErrUnsupported
}
