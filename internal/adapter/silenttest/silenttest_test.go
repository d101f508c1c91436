package silenttest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRound_FindsFaults: each sort of fault is found in the calls of a round.
func TestRound_FindsFaults(t *testing.T) {
	var lock sync.Mutex
	for name, c := range map[string]struct {
		call    func(context.Context) error
		pending bool
		bare    bool
	}{
		"keeps the rule":   {call: func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("ask: %w", context.Cause(ctx)) }},
		"ignores context":  {call: func(context.Context) error { select {} }, pending: true},
		"bare error":       {call: func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }, bare: true},
		"asks with a lock": {call: func(context.Context) error { lock.Lock(); select {} }, pending: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRound(Calls{"f": c.call}, func() (context.Context, context.CancelFunc) {
				return context.WithTimeoutCause(context.Background(), 10*time.Millisecond, ErrEnded)
			})
			select {
			case <-r.ended:
			case <-time.After(300 * time.Millisecond):
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.pending["f"] != c.pending {
				t.Errorf("pending = %t, want %t", r.pending["f"], c.pending)
			}
			if err := r.errs["f"]; err != nil && isBare(err) != c.bare {
				t.Errorf("error = %q, bare = %t, want %t", err, isBare(err), c.bare)
			}
		})
	}
}

// TestServers_FailToAnswer: no way is one in which a client gets an answer.
func TestServers_FailToAnswer(t *testing.T) {
	ways := HTTP()
	for name, serve := range Raw() {
		ways["raw: "+name] = serve
	}
	for name, serve := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, Listen(t, serve).URL("http"), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Transport{}).RoundTrip(req)
			if err != nil {
				return
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("got the whole body %q", body)
			}
		})
	}
}

// TestGate_Opens: the second connection leads to the healthy server.
func TestGate_Opens(t *testing.T) {
	healthy := Listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "hello"); c.Close() })
	g := NewGate(t, "tcp", healthy.Address)
	g.CheckHealthy(t, func(ctx context.Context) error {
		var d net.Dialer
		c, err := d.DialContext(ctx, g.Network, g.Address)
		if err != nil {
			return err
		}
		defer context.AfterFunc(ctx, func() { c.Close() })()
		text, err := io.ReadAll(c)
		if err == nil && !strings.Contains(string(text), "hello") {
			return fmt.Errorf("got %q", text)
		}
		return err
	})
}
