package oci

import (
	"context"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Login returns the user and password for the registry at a host, or false for one
// that it does not know.
type Login func(ctx context.Context, host string) (user, password string, ok bool, err error)

// loginKeychain asks a Login first.
type loginKeychain struct {
	login Login
	next  authn.Keychain
}

// Resolve implements authn.Keychain.
func (k loginKeychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), r)
}

// ResolveContext implements authn.ContextKeychain.
func (k loginKeychain) ResolveContext(ctx context.Context, r authn.Resource) (authn.Authenticator, error) {
	user, password, ok, err := k.login(ctx, r.RegistryStr())
	if err != nil {
		return nil, err
	}
	if !ok {
		return authn.Resolve(ctx, k.next, r)
	}
	return authn.FromConfig(authn.AuthConfig{Username: user, Password: password}), nil
}
