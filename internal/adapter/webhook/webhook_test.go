package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/webhook"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestNotifier(t *testing.T) {
	porttest.TestNotifier(t, func(t *testing.T, server, secret string) port.Notifier {
		n, err := webhook.New(webhook.Config{URL: strings.Replace(server, "://", "://user:"+secret+"@", 1) + "/" + secret + "?token=" + secret, Secret: secret, Timeout: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return n
	})
}

// TestSignature checks a delivery as a receiver would.
func TestSignature(t *testing.T) {
	const secret, body = "whsec", `{"event":"deployed"}`
	at := time.Unix(1795515302, 0)
	var got http.Header
	var sent []byte
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		sent, _ = io.ReadAll(r.Body)
	}))
	defer s.Close()
	n, err := webhook.New(webhook.Config{URL: s.URL, Secret: secret, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Notify(t.Context(), port.Message{ID: "d-1\r\nX-Evil: 1", JSON: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("1795515302." + body))
	if want := "t=1795515302,v1=" + hex.EncodeToString(mac.Sum(nil)); got.Get("Slipway-Signature") != want || string(sent) != body {
		t.Errorf("signature %q of %s, want %q", got.Get("Slipway-Signature"), sent, want)
	}
	if got.Get("Slipway-Delivery") != "d-1__X-Evil: 1" || got.Get("X-Evil") != "" || got.Get("Content-Type") != "application/json" {
		t.Errorf("headers: %v", got)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	n, err := webhook.New(webhook.Config{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Notify(t.Context(), port.Message{JSON: []byte("{}")}); !fault.Is(err, fault.Invalid) || reached {
		t.Errorf("%v, reached %v: want a hopeless one that stays here", err, reached)
	}
}

func TestBadAddresses(t *testing.T) {
	for _, u := range []string{"", "s3cret", "ftp://s3cret/x", "https:///s3cret", "http://s3cret bad/", "https://%zz/s3cret"} {
		if _, err := webhook.New(webhook.Config{URL: u}); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error()+fault.HintOf(err), "s3cret") {
			t.Errorf("%q: %v, want invalid, without the address", u, err)
		}
	}
}
