//go:build unix

package postgres_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/adapter/postgres"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestObjectStore(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		server := objecttest.Start(t, "postgres")
		var scopes atomic.Int64
		porttest.TestObjectStore(t, func(t *testing.T) func() port.ObjectStore {
			scope := fmt.Sprintf("retail-%d", scopes.Add(1))
			return func() port.ObjectStore { return server.Open(t, scope) }
		})
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
