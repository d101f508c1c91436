package oci_test

import (
	"net/http/httptest"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
)

// serveOpenly serves the registry as an ordinary one without passwords, to which
// everyone may push, and returns its address.
func serveOpenly(t *testing.T, e *embedded.Registry) string {
	t.Helper()
	server := httptest.NewServer(e.Handler())
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
