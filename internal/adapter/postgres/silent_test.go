//go:build unix

package postgres_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/adapter/postgres"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

// Messages of PostgreSQL's protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html
const (
	authenticated = "R\x00\x00\x00\x08\x00\x00\x00\x00"
	ready         = "Z\x00\x00\x00\x05I"
)

// silentDatabases returns the ways in which a database may fail to answer.
func silentDatabases() map[string]silenttest.Serve {
	ways := silenttest.Raw()
	answer := func(text string, end bool) silenttest.Serve {
		return func(c net.Conn) {
			buffer := make([]byte, 4096)
			if _, err := c.Read(buffer); err != nil {
				return
			}
			_, _ = io.WriteString(c, text)
			if end {
				_, _ = c.Read(buffer)
				c.Close()
			}
		}
	}
	ways["is silent once authenticated"] = answer(authenticated, false)
	ways["is silent once ready"] = answer(authenticated+ready, false)
	ways["ends once ready"] = answer(authenticated+ready, true)
	ways["is silent in a message"] = answer(authenticated+ready+"T\x00\x00\x01", false)
	ways["ends in a message"] = answer(authenticated+ready+"T\x00\x00\x01", true)
	return ways
}

func TestOpen_SilentServer(t *testing.T) {
	for name, serve := range silentDatabases() {
		t.Run("server "+name, func(t *testing.T) {
			t.Parallel()
			u := &url.URL{Scheme: "postgres", Host: silenttest.Listen(t, serve).Address, Path: "/retail", RawQuery: "sslmode=disable&user=ann"}
			silenttest.Check(t, silenttest.Calls{
				"Open": func(ctx context.Context) error { _, err := postgres.Open(ctx, u); return err },
			})
		})
	}
}

// TestStore_SilentServer: one that answered when the store was opened, and no more.
func TestStore_SilentServer(t *testing.T) {
	server := objecttest.Start(t, "postgres")
	at, err := url.Parse(server.Location("retail"))
	if err != nil {
		t.Fatal(err)
	}
	for name, serve := range silentDatabases() {
		t.Run("server "+name, func(t *testing.T) {
			gate := silenttest.NewGate(t, "tcp", at.Host)
			gate.Open()
			u := *at
			u.Host = gate.Address
			s, err := postgres.Open(t.Context(), &u)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			gate.Shut(serve)
			silenttest.Check(t, silenttest.Calls{
				"Store.Create": func(ctx context.Context) error { return s.Create(ctx, "a", []byte("x")) },
				"Store.Put":    func(ctx context.Context) error { return s.Put(ctx, "a", strings.NewReader("x")) },
				"Store.Open":   func(ctx context.Context) error { _, _, err := s.Open(ctx, "a"); return err },
				"Store.List":   func(ctx context.Context) error { _, err := s.List(ctx, "", "", 1); return err },
				"Store.Delete": func(ctx context.Context) error { return s.Delete(ctx, "a") },
			})
		})
	}
}

func TestStore_SilentServerThenHealthy(t *testing.T) {
	server := objecttest.Start(t, "postgres")
	at, err := url.Parse(server.Location("retail"))
	if err != nil {
		t.Fatal(err)
	}
	gate := silenttest.NewGate(t, "tcp", at.Host)
	at.Host = gate.Address
	gate.Open()
	s, err := postgres.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	gate.Shut(silenttest.Raw()["is silent"])
	gate.CheckHealthy(t, func(ctx context.Context) error { return s.Put(ctx, "a", strings.NewReader("x")) })
}
