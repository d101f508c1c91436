package client

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A token is fetched once for many requests, and again a minute before it ends; a
// request without one is not sent.
func TestConnectTo_Tokens(t *testing.T) {
	var got []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"major": "1", "minor": "36"}`))
	}))
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	now, fetched := time.Now(), 0
	b := &bearer{next: server.Client().Transport, now: func() time.Time { return now }, fetch: func(context.Context) (string, time.Time, error) {
		if fetched++; fetched == 3 {
			return "", time.Time{}, errors.New("expired")
		}
		return "token-" + strconv.Itoa(fetched), now.Add(14 * time.Minute), nil
	}}
	for _, passed := range []time.Duration{0, 12 * time.Minute, 90 * time.Second, 20 * time.Minute} {
		now = now.Add(passed)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := b.RoundTrip(r)
		if err != nil {
			if passed != 20*time.Minute || !strings.Contains(err.Error(), "expired") {
				t.Error(err)
			}
			continue
		}
		res.Body.Close()
		if r.Header.Get("Authorization") != "" {
			t.Error("the caller's request was changed")
		}
	}
	if want := "Bearer token-1,Bearer token-1,Bearer token-2"; strings.Join(got, ",") != want {
		t.Errorf("requests with %q, want %q", got, want)
	}
	c, err := ConnectTo(Endpoint{Server: server.URL, CA: ca, Token: func(context.Context) (string, time.Time, error) { return "t", now.Add(time.Hour), nil }}, "mlops", "a cluster", nil)
	if err != nil || c.Namespace() != "mlops" {
		t.Fatalf("%v", err)
	}
	if minor := c.MinorVersion(t.Context()); minor != 36 || got[len(got)-1] != "Bearer t" {
		t.Errorf("version 1.%d, last request with %q", minor, got[len(got)-1])
	}
}
