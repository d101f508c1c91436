// Package acme stands in for the ACME client in Traefik. The controller of the tests
// obtains no certificates, and the real client brings the SDKs of some 200 DNS
// providers: the greater part of a build. The module has what Traefik refers to, and
// everything that would do something returns ErrUnsupported.
package acme

import "errors"

// ErrUnsupported is what every attempt to obtain a certificate ends with.
var ErrUnsupported = errors.New("built without ACME")

// Account is an account at a certificate authority.
type Account struct{}

// ExtendedAccount is an account and its URL.
type ExtendedAccount struct {
	Account

	Location string
}
