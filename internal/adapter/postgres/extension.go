package postgres

import (
	"context"
	"net/url"
	"strings"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Extension describes the database.
func Extension() extension.StateStore {
	return extension.StateStore{
		Kind: "postgres", Schemes: []string{"postgres", "postgresql"}, Example: "postgres://host/database?scope=retail",
		Description: "A table in a PostgreSQL database.",
		Check: func(u *url.URL) error {
			if strings.Trim(u.Path, "/") == "" {
				return fault.New(fault.Invalid, "the URL of the shared state names no database").Hint("write it as postgres://HOST/DATABASE")
			}
			return nil
		},
		Open: func(ctx context.Context, u *url.URL) (port.ObjectStore, error) { return Open(ctx, u) },
	}
}
