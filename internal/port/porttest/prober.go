package porttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestProber holds an adapter to port.Prober.
func TestProber(t *testing.T, fresh func(t *testing.T) port.Prober) {
	t.Run("answers", func(t *testing.T) { testAnswers(t, fresh(t)) })
	t.Run("new connections", func(t *testing.T) { testNewConnections(t, fresh(t)) })
	t.Run("no answer", func(t *testing.T) { testNoAnswer(t, fresh(t)) })
	t.Run("redirects", func(t *testing.T) { testRedirects(t, fresh(t)) })
	t.Run("cancelled", func(t *testing.T) { testAskCancelled(t, fresh(t)) })
	t.Run("no proxy to this machine", func(t *testing.T) { testNoProxy(t, fresh) })
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func testAnswers(t *testing.T, p port.Prober) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Method", r.Method+" "+r.Header.Get("Content-Type"))
		switch r.URL.Path {
		case "/huge":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 3<<20))
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			time.Sleep(20 * time.Millisecond) // the work whose latency is measured
			_, _ = w.Write(body)
		}
	})
	got, err := p.Ask(t.Context(), port.Question{URL: s.URL})
	if err != nil || got.Status != 200 || !strings.HasPrefix(got.Header.Get("X-Method"), "GET") || got.Latency < 15*time.Millisecond || got.Latency > 5*time.Second {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = p.Ask(t.Context(), port.Question{Method: "POST", URL: s.URL + "/predict", Body: []byte(`{"a":1}`)})
	if err != nil || string(got.Body) != `{"a":1}` || got.Header.Get("X-Method") != "POST application/json" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = p.Ask(t.Context(), port.Question{URL: s.URL + "/broken"}); err != nil || got.Status != 500 {
		t.Errorf("a 500 is an answer: %+v, %v", got, err)
	}
	if got, err = p.Ask(t.Context(), port.Question{URL: s.URL + "/huge"}); err != nil || len(got.Body) != 1<<20 {
		t.Errorf("%d bytes, %v, want one megabyte", len(got.Body), err)
	}
}

func testNewConnections(t *testing.T, p port.Prober) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	for range 3 {
		if _, err := p.Ask(t.Context(), port.Question{URL: s.URL}); err != nil {
			t.Fatal(err)
		}
	}
	if conns.Load() != 3 {
		t.Errorf("%d connections for 3 questions", conns.Load())
	}
}

func testNoAnswer(t *testing.T, p port.Prober) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hangs":
			<-release
		case "/breaks":
			panic(http.ErrAbortHandler)
		case "/half":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
		}
	})
	defer close(release)
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, u := range []string{s.URL + "/hangs", s.URL + "/breaks", s.URL + "/half", gone.URL, "http://name.invalid/"} {
		start := time.Now()
		got, err := p.Ask(t.Context(), port.Question{URL: u, Timeout: 200 * time.Millisecond})
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %+v, %v, want unavailable", u, got, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: it took %v", u, took)
		}
	}
	for _, u := range []string{"", "nonsense", "ftp://host/x", "http://", "http://bad host/"} {
		if _, err := p.Ask(t.Context(), port.Question{URL: u}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, want invalid", u, err)
		}
	}
	_, err := p.Ask(t.Context(), port.Question{URL: strings.Replace(gone.URL, "http://", "http://user:s3cret@", 1)})
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the password is in %v", err)
	}
}

func testRedirects(t *testing.T, p port.Prober) {
	var reached atomic.Bool
	other := serve(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/old":
			http.Redirect(w, r, "/new", http.StatusFound)
		}
	})
	for path, want := range map[string]int{"/away": 302, "/loop": 302, "/old": 200} {
		if got, err := p.Ask(t.Context(), port.Question{URL: s.URL + path}); err != nil || got.Status != want {
			t.Errorf("%s: %d, %v, want %d", path, got.Status, err, want)
		}
	}
	if reached.Load() {
		t.Error("another host was asked")
	}
}

func testAskCancelled(t *testing.T, p port.Prober) {
	stopped := errors.New("somebody stopped it")
	ctx, cancel := context.WithCancelCause(t.Context())
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(stopped); <-r.Context().Done() })
	if _, err := p.Ask(ctx, port.Question{URL: s.URL}); !errors.Is(err, stopped) {
		t.Errorf("%v, want the context's cause", err)
	}
}

func testNoProxy(t *testing.T, fresh func(t *testing.T) port.Prober) {
	proxied := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	t.Setenv("HTTP_PROXY", proxied.URL)
	t.Setenv("http_proxy", proxied.URL)
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	if got, err := fresh(t).Ask(t.Context(), port.Question{URL: s.URL}); err != nil || got.Status != 200 {
		t.Errorf("%+v, %v: the proxy answered", got, err)
	}
}
