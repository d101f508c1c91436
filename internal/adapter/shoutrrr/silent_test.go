package shoutrrr_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/shoutrrr"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestNotifier_SilentServer(t *testing.T) {
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		n := newNotifier(t, url)
		return silenttest.Calls{
			// A status is all that a chat has to answer: what follows may be lost.
			"Notifier.Notify": func(ctx context.Context) error { return silenttest.MaySucceed(n.Notify(ctx, port.Message{Text: "x"})) },
		}
	})
}

// TestNotifier_SilentMailServer: mail is not sent over HTTP.
func TestNotifier_SilentMailServer(t *testing.T) {
	for name, serve := range silenttest.Raw() {
		t.Run("server "+name, func(t *testing.T) {
			t.Parallel()
			n, err := shoutrrr.New(silenttest.Listen(t, serve).URL("smtp") + "/?from=a@example.com&to=b@example.com&usestarttls=no")
			if err != nil {
				t.Fatal(err)
			}
			silenttest.Check(t, silenttest.Calls{
				"Notifier.Notify": func(ctx context.Context) error { return n.Notify(ctx, port.Message{Text: "x"}) },
			})
		})
	}
}

func TestNotifier_SilentServerThenHealthy(t *testing.T) {
	healthy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer healthy.Close()
	gate := silenttest.NewGate(t, "tcp", healthy.Listener.Addr().String())
	n := newNotifier(t, gate.URL("http"))
	gate.CheckHealthy(t, func(ctx context.Context) error { return n.Notify(ctx, port.Message{Text: "x"}) })
}

// newNotifier returns one that posts to url.
func newNotifier(t *testing.T, url string) *shoutrrr.Notifier {
	t.Helper()
	address := "generic+" + url
	if plain, ok := strings.CutPrefix(url, "http://"); ok {
		address = "generic://" + plain + "/?disabletls=yes"
	}
	n, err := shoutrrr.New(address)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
