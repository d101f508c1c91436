// Package challenge describes how a domain is proved.
package challenge

import "context"

// Provider presents a proof of a domain.
type Provider interface {
	Present(ctx context.Context, domain, token, keyAuth string) error
	CleanUp(ctx context.Context, domain, token, keyAuth string) error
}
