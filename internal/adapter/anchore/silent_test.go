package anchore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

// TestUpdate_SilentServer: the server of the list of databases fails to answer.
func TestUpdate_SilentServer(t *testing.T) {
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		s := New(Config{Dir: t.TempDir(), URL: url})
		return silenttest.Calls{
			"Scanner.Update": func(ctx context.Context) error { _, _, err := s.Update(ctx, nil); return err },
			"Scanner.Status": func(ctx context.Context) error { _, err := s.Status(ctx); return silenttest.MaySucceed(err) },
		}
	})
}

// TestUpdate_SilentDownload: the list comes, and the database does not.
func TestUpdate_SilentDownload(t *testing.T) {
	for name, serve := range silenttest.HTTP() {
		t.Run("server "+name, func(t *testing.T) {
			t.Parallel()
			silent := silenttest.Listen(t, serve).URL("http")
			mux := http.NewServeMux()
			mux.HandleFunc("/v6/latest.json", listing("db.tar.gz", "sha256:"+strings.Repeat("0", 64)))
			mux.Handle("/v6/db.tar.gz", http.RedirectHandler(silent, http.StatusFound))
			server := httptest.NewServer(mux)
			defer server.Close()
			s := New(Config{Dir: t.TempDir(), URL: server.URL})
			silenttest.Check(t, silenttest.Calls{
				"Scanner.Update": func(ctx context.Context) error { _, _, err := s.Update(ctx, nil); return err },
			})
		})
	}
}

func TestUpdate_SilentServerThenHealthy(t *testing.T) {
	archive, _ := published(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/v6/latest.json", listing("db.tar.gz", fmt.Sprintf("sha256:%x", sha256.Sum256(archive))))
	mux.HandleFunc("/v6/db.tar.gz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
	server := httptest.NewServer(mux)
	defer server.Close()
	gate := silenttest.NewGate(t, "tcp", server.Listener.Addr().String())
	s := New(Config{Dir: t.TempDir(), URL: gate.URL("http")})
	gate.CheckHealthy(t, func(ctx context.Context) error {
		_, changed, err := s.Update(ctx, nil)
		if err == nil && !changed {
			err = errors.New("no new database")
		}
		return err
	})
}
