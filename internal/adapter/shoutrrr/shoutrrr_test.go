package shoutrrr_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/shoutrrr"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestNotifier speaks to the library's general HTTP service.
func TestNotifier(t *testing.T) {
	porttest.TestNotifier(t, func(t *testing.T, server, secret string) port.Notifier {
		n, err := shoutrrr.New(shoutrrr.Config{URL: "generic+" + server + "/" + secret + "?token=" + secret, Timeout: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return n
	})
}

// TestChat speaks to ntfy's service, as one with an API of its own.
func TestChat(t *testing.T) {
	porttest.TestNotifier(t, func(t *testing.T, server, secret string) port.Notifier {
		host := strings.TrimPrefix(server, "http://")
		n, err := shoutrrr.New(shoutrrr.Config{URL: "ntfy://user:" + secret + "@" + host + "/topic-" + secret + "?scheme=http", Timeout: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return n
	})
}

func TestBadAddresses(t *testing.T) {
	for _, u := range []string{"", "s3cret", "s3cret://x", "slack://s3cret", "smtp://", "discord://s3cret", "http://s3cret", "://s3cret", "slack://%zzs3cret"} {
		if _, err := shoutrrr.New(shoutrrr.Config{URL: u}); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error()+fault.HintOf(err), "s3cret") {
			t.Errorf("%q: %v, want invalid, without the address", u, err)
		}
	}
}
