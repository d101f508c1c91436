// Package tlsalpn01 proves no domain by TLS.
package tlsalpn01

import (
	"time"

	"github.com/go-acme/lego/v5/acme"
)

// ACMETLS1Protocol is the protocol of a handshake for a proof.
const ACMETLS1Protocol = "acme-tls/1"

// ChallengeOption changes nothing.
type ChallengeOption func()

// SetDelay returns an option that changes nothing.
func SetDelay(time.Duration) ChallengeOption { return nil }

// ChallengeBlocks returns acme.ErrUnsupported.
func ChallengeBlocks(string, string) (cert, key []byte, err error) {
	return nil, nil, acme.ErrUnsupported
}
