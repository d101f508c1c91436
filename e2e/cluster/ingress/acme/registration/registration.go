// Package registration registers no accounts.
package registration

import (
	"context"

	"github.com/go-acme/lego/v5/acme"
)

// RegisterOptions is a request for an account.
type RegisterOptions struct{ TermsOfServiceAgreed bool }

// RegisterEABOptions is a request for an account with credentials from elsewhere.
type RegisterEABOptions struct {
	TermsOfServiceAgreed bool
	Kid, HmacEncoded     string
}

// Registrar registers no accounts.
type Registrar struct{}

// Register returns acme.ErrUnsupported.
func (*Registrar) Register(context.Context, RegisterOptions) (*acme.ExtendedAccount, error) {
	return nil, acme.ErrUnsupported
}

// RegisterWithExternalAccountBinding returns acme.ErrUnsupported.
func (*Registrar) RegisterWithExternalAccountBinding(context.Context, RegisterEABOptions) (*acme.ExtendedAccount, error) {
	return nil, acme.ErrUnsupported
}
