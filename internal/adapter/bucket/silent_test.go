package bucket_test

import (
	"context"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/bucket"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/port"
)

// silentBuckets returns the URL of a bucket of every provider at the address of a server.
func silentBuckets(t *testing.T) map[string]func(server string) string {
	t.Helper()
	for name, value := range map[string]string{
		"AZURE_STORAGE_ACCOUNT": "account", "AZURE_STORAGE_KEY": "a2V5",
	} {
		t.Setenv(name, value)
	}
	return map[string]func(string) string{
		"azure": func(server string) string {
			host, plain := strings.CutPrefix(server, "http://")
			if !plain {
				return "" // only with a name of Microsoft's
			}
			return "azblob://state/p?localemu=true&protocol=http&domain=" + url.QueryEscape(host)
		},
		"gcs": func(server string) string {
			t.Setenv("STORAGE_EMULATOR_HOST", server)
			return "gs://state/p"
		},
	}
}

func TestStore_SilentServer(t *testing.T) {
	for driver, at := range silentBuckets(t) {
		t.Run(driver, func(t *testing.T) {
			for name, serve := range silenttest.HTTP() {
				t.Run("server "+name, func(t *testing.T) {
					silenttest.Check(t, storeCalls(t, at(silenttest.Listen(t, serve).URL("http"))))
				})
			}
			for name, serve := range silenttest.Raw() {
				t.Run("TLS server "+name, func(t *testing.T) {
					u := at(silenttest.Listen(t, serve).URL("https"))
					if u == "" {
						t.Skip("the driver does not connect to this machine with TLS")
					}
					silenttest.Check(t, storeCalls(t, u))
				})
			}
		})
	}
}

func storeCalls(t *testing.T, at string) silenttest.Calls {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bucket.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return silenttest.Calls{
		"Open": func(ctx context.Context) error {
			opened, err := bucket.Open(ctx, u)
			if err == nil {
				err = opened.Close()
			}
			return silenttest.MaySucceed(err) // it sends nothing yet
		},
		"Store.Create": func(ctx context.Context) error { return s.Create(ctx, "a", []byte("x")) },
		"Store.Put":    func(ctx context.Context) error { return s.Put(ctx, "a", strings.NewReader("x")) },
		"Store.Open":   func(ctx context.Context) error { return readObject(ctx, s) },
		"Store.List":   func(ctx context.Context) error { _, err := s.List(ctx, "", "", 1); return err },
		"Store.Delete": func(ctx context.Context) error { return silenttest.MaySucceed(s.Delete(ctx, "a")) }, // the status is the answer
	}
}

func readObject(ctx context.Context, s port.ObjectStore) error {
	r, _, err := s.Open(ctx, "a")
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.ReadAll(r)
	return err
}
