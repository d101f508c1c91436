//go:build unix

package postgres_test

import (
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/postgres"
	"github.com/slipway-cd/slipway/internal/adapter/postgres/postgrestest"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func open(t *testing.T, at string) *postgres.Store {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	server := postgrestest.Start(t)
	var scopes atomic.Int64
	porttest.TestObjectStore(t, func(t *testing.T) func() port.ObjectStore {
		scope := "s" + strings.Repeat("x", int(scopes.Add(1)))
		return func() port.ObjectStore { return open(t, server+"&scope="+scope) }
	})
}

// TestOpen_Errors: an error names the server and the database, without the password.
func TestOpen_Errors(t *testing.T) {
	for _, at := range []string{"postgres://ann:hunter2@127.0.0.1:1/retail?sslmode=disable", "postgres://ann:hunter2@127.0.0.1:1/retail?sslmode=nonsense"} {
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		_, err = postgres.Open(t.Context(), u)
		if !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "postgres://127.0.0.1:1/retail") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("open: error = %v (%s), want one that names the database only", err, fault.KindOf(err))
		}
	}
}
