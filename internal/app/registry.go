package app

import (
	"context"
	"os"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// RegistryTokenVariable names the variable with the token that permits pushing.
const RegistryTokenVariable = "SLIPWAY_REGISTRY_TOKEN"

// RegistryOptions is how the embedded registry is served.
type RegistryOptions struct {
	Address string
	Token   string // permits pushing; empty: it is read-only
}

// ServeRegistry serves the embedded registry to other tools until ctx ends: for
// reading, or for pushing, too, with the token in the file or, without one, in
// RegistryTokenVariable.
func (a *App) ServeRegistry(ctx context.Context, addr string, writable bool, tokenFile string, ready func(addr string)) error {
	o := RegistryOptions{Address: addr}
	if writable {
		var err error
		if o.Token, err = a.registryToken(tokenFile); err != nil {
			return err
		}
	}
	return a.withSession(ctx, func(s *session) error { return s.deps.ServeRegistry(ctx, o, ready) })
}

// registryToken is never taken from the command line, which every user can list.
func (a *App) registryToken(file string) (string, error) {
	token, _ := a.getenv(RegistryTokenVariable)
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", fault.New(fault.FileKind(err), "read the registry's token").Cause(err)
		}
		token = string(raw)
	}
	token = strings.TrimSpace(token)
	if token == "" {
		return "", fault.New(fault.Invalid, "serve a writable registry: no token is set").
			Hint("set %s, or name a file with --token-file; `openssl rand -hex 16` generates one", RegistryTokenVariable)
	}
	return token, nil
}
