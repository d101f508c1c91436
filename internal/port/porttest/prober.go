package porttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestProber holds a prober to the promises of port.Prober.
func TestProber(t *testing.T, open func(*testing.T) port.Prober) {
	server, connections := questioned(t)
	p := open(t)
	ctx := t.Context()

	t.Run("any status is an answer", func(t *testing.T) {
		r, err := p.Probe(ctx, port.ProbeRequest{Method: http.MethodPost, URL: server.URL + "/echo", Body: []byte(`{"a":1}`)})
		if err != nil || r.Status != http.StatusTeapot || string(r.Body) != `{"a":1}` || r.Latency <= 0 {
			t.Fatalf("got %+v, %v", r, err)
		}
		if r.Header.Get("X-Probe") == "" {
			t.Error("the question is not marked as a probe")
		}
		if r.Header.Get("X-Method") != http.MethodPost || r.Header.Get("X-Type") != "application/json" {
			t.Errorf("headers %v", r.Header)
		}
	})
	t.Run("headers of the request", func(t *testing.T) {
		r, err := p.Probe(ctx, port.ProbeRequest{
			Method: http.MethodPost, URL: server.URL + "/echo", Body: []byte("a,b"),
			Header: http.Header{"Content-Type": {"text/csv"}, "Host": {"api.test"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Header.Get("X-Type") != "text/csv" || r.Header.Get("X-Host") != "api.test" {
			t.Errorf("headers %v, want the type text/csv and the host api.test", r.Header)
		}
	})
	t.Run("a new connection each time", func(t *testing.T) {
		for range 3 {
			if _, err := p.Probe(ctx, port.ProbeRequest{URL: server.URL + "/echo"}); err != nil {
				t.Fatal(err)
			}
		}
		for peer, n := range connections() {
			if n > 1 {
				t.Errorf("%s asked %d times", peer, n)
			}
		}
	})
	t.Run("the body is bounded", func(t *testing.T) {
		r, err := p.Probe(ctx, port.ProbeRequest{URL: server.URL + "/big"})
		if err != nil || len(r.Body) != 1<<20 {
			t.Fatalf("%d bytes, %v", len(r.Body), err)
		}
	})
	t.Run("a redirect is an answer", func(t *testing.T) {
		if r, err := p.Probe(ctx, port.ProbeRequest{URL: server.URL + "/away"}); err != nil || r.Status != http.StatusFound {
			t.Fatalf("got %+v, %v", r, err)
		}
	})
	t.Run("no answer is unavailable", func(t *testing.T) {
		closed, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		closed.Close()
		for _, u := range []string{"http://" + closed.Addr().String(), server.URL + "/cut", server.URL + "/hang"} {
			if _, err := p.Probe(ctx, port.ProbeRequest{URL: u, Timeout: 50 * time.Millisecond}); !fault.Is(err, fault.Unavailable) {
				t.Errorf("%s: %v", u, err)
			}
		}
	})
	t.Run("cancel", func(t *testing.T) {
		stop := errors.New("stopped by a person")
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(20*time.Millisecond, func() { cancel(stop) })
		if _, err := p.Probe(ctx, port.ProbeRequest{URL: server.URL + "/hang"}); !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
	})
}

// questioned is a server to ask, and how often it was asked over each connection
// until now.
func questioned(t *testing.T) (server *httptest.Server, connections func() map[string]int) {
	release := make(chan struct{})
	var mu sync.Mutex
	peers := map[string]int{}
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		peers[r.RemoteAddr]++
		mu.Unlock()
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Probe", r.Header.Get(port.ProbeHeader))
		w.Header().Set("X-Host", r.Host)
		w.Header().Set("X-Type", r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.Copy(w, r.Body)
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("x"), 3<<20)) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/echo", http.StatusFound) })
	mux.HandleFunc("/hang", func(http.ResponseWriter, *http.Request) { <-release })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		c, _, _ := w.(http.Hijacker).Hijack()
		c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
		c.Close()
	})
	server = httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	return server, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(peers)
	}
}
