//go:build unix

package postgres_test

import (
	"database/sql"
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

// TestOpen_Rights: the rights of the page about them are enough, and those to only read
// are enough for that.
func TestOpen_Rights(t *testing.T) {
	server := objecttest.Start(t, "postgres")
	if err := server.Open(t, "retail").Create(t.Context(), "log.json", []byte("x")); err != nil {
		t.Fatal(err)
	}
	owner, err := sql.Open("pgx", strings.SplitN(server.Location(""), "&scope", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	for _, statement := range []string{
		"CREATE ROLE ci LOGIN", "GRANT SELECT, INSERT, UPDATE, DELETE ON slipway_objects TO ci",
		"CREATE ROLE reader LOGIN", "GRANT SELECT ON slipway_objects TO reader",
	} {
		if _, err := owner.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for role, mayWrite := range map[string]bool{"ci": true, "reader": false} {
		u, err := url.Parse(server.Location("retail"))
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.User(role)
		s, err := postgres.Open(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if r, _, err := s.Open(t.Context(), "log.json"); err != nil {
			t.Errorf("%s: open: %v", role, err)
		} else {
			r.Close()
		}
		for name, err := range map[string]error{
			"create": s.Create(t.Context(), "a", []byte("x")), "put": s.Put(t.Context(), "a", strings.NewReader("x")), "delete": s.Delete(t.Context(), "a"),
		} {
			if mayWrite && err != nil || !mayWrite && !fault.Is(err, fault.Denied) {
				t.Errorf("%s: %s: error = %v (%s), allowed: %v", role, name, err, fault.KindOf(err), mayWrite)
			}
		}
	}
}
