package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

// listen starts the server of the plain path.
func listen(t testing.TB, p *proxy.Proxy) *proxy.Server {
	t.Helper()
	s, err := proxy.Listen(p, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Close(ctx)
	})
	return s
}

func dial(t testing.TB, url string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c, bufio.NewReader(c)
}

// TestServer_HandsOverWhatIsRare: plain requests stay where they are, also after
// each other; a connection with any other goes to the general path.
func TestServer_HandsOverWhatIsRare(t *testing.T) {
	cases := map[string]struct {
		request string
		handed  int
	}{
		"GET":          {get1, 0},
		"POST":         {post(100), 0},
		"64 KiB":       {post(64 << 10), 0},
		"chunked":      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1},
		"65 KiB":       {post(65 << 10), 1},
		"long header":  {"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 9<<10) + "\r\n\r\n", 1},
		"HTTP/1.0":     {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 1},
		"Expect":       {"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", 1},
		"Upgrade: h2c": {"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, at := newReplica(t, respond("ok"))
			r := startPlain(t, proxy.Config{})
			r.Switch(newPool(a, at))
			conn, in := dial(t, r.url)
			for range 3 {
				_, _ = io.WriteString(conn, c.request)
				resp, err := http.ReadResponse(in, nil)
				for err == nil && resp.StatusCode == http.StatusContinue {
					resp, err = http.ReadResponse(in, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(resp.Body); string(body) != "ok" || err != nil {
					t.Fatalf("got %q, %v", body, err)
				}
			}
			// The proxy is done a moment after the client has the response.
			done := func() bool { return r.server.HandedOver() == c.handed && (r.KeptBytes() == 0 || c.handed == 0) }
			for end := time.Now().Add(5 * time.Second); !done() && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			if n := r.server.HandedOver(); n != c.handed {
				t.Errorf("%d connections handed over, want %d", n, c.handed)
			}
			if n := r.KeptBytes(); n != 0 && c.handed == 1 {
				t.Errorf("%d bytes of bodies are kept after the responses", n)
			}
		})
	}
}

// scriptedReplica reads a request and writes the response as it is, over and over.
func scriptedReplica(t *testing.T, response string, closes bool) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(c, response)
					if closes {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestProxy_FormsOfResponses: whatever form a replica gives its response, clients get
// the same content, or an error.
func TestProxy_FormsOfResponses(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	cases := []struct {
		name, response string
		closes         bool
		want           string // status and body; "broken": neither complete
	}{
		{"length", ok + "Content-Length: 2\r\n\r\nhi", false, "200 hi"},
		{"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\n\r\n", false, "200 hi"},
		{"trailers", ok + "Trailer: A\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n", false, "200 hi A=b"},
		{"until the end", ok + "\r\nhi", true, "200 hi"},
		{"until the end, announced", ok + "Connection: close\r\n\r\nhi", true, "200 hi"},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhi", true, "200 hi"},
		{"HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", true, "200 hi"},
		{"LF alone", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", false, "200 hi"},
		{"continued line", ok + "A: b\r\n c\r\nContent-Length: 2\r\n\r\nhi", false, "200 hi"},
		{"two equal lengths", ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", false, "200 hi"},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", false, "204 "},
		{"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, "304 "},
		{"200 KB", ok + "Content-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000), false, "200 " + strings.Repeat("x", 200000)},
		{"header of 40 KB", ok + "A: " + strings.Repeat("a", 40000) + "\r\nContent-Length: 2\r\n\r\nhi", false, "200 hi"},
		{"two lengths", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!", false, "502"},
		{"no response", "hello\r\n\r\n", false, "502"},
		{"an upgrade without a request to", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", false, "502"},
		{"half a head", ok + "Content-Le", true, "502"},
		{"half a body", ok + "Content-Length: 5\r\n\r\nhi", true, "broken"},
		{"half a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhi", true, "broken"},
		{"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", true, "broken"},
		{"a chunk without a size", ok + "Transfer-Encoding: chunked\r\n\r\nx\r\nhi\r\n", true, "broken"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onBothPaths(t, func(t *testing.T, start startFunc) {
				r := start(t, proxy.Config{})
				r.Switch(newPool(a, scriptedReplica(t, c.response, c.closes)))
				for i := range 3 {
					if got := content(r.url); got != c.want {
						t.Fatalf("response %d = %.60q, want %.60q", i+1, got, c.want)
					}
				}
				failed := int64(0)
				if c.want == "502" || c.want == "broken" {
					failed = 3
				}
				r.wantTraffic(t, a, 3, failed)
			})
		})
	}
}

func content(url string) string {
	resp, err := http.Get(url)
	if err != nil {
		return "broken"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "broken"
	}
	if resp.StatusCode == http.StatusBadGateway {
		return "502"
	}
	text := fmt.Sprintf("%d %s", resp.StatusCode, body)
	for name, values := range resp.Trailer {
		text += " " + name + "=" + strings.Join(values, ",")
	}
	return text
}

func TestProxy_ResponsesToHead(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		_, at := newReplica(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "7") })
		r := start(t, proxy.Config{})
		r.Switch(newPool(a, at))
		conn, in := dial(t, r.url)
		for range 2 { // nothing is left between them
			_, _ = io.WriteString(conn, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(in, &http.Request{Method: http.MethodHead})
			if err != nil || resp.ContentLength != 7 || in.Buffered() > 0 {
				t.Fatalf("response = %+v, %v; %d bytes follow", resp, err, in.Buffered())
			}
		}
	})
}

func TestProxy_InformationalResponses(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		_, at := newReplica(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "ok")
		})
		r := start(t, proxy.Config{})
		r.Switch(newPool(a, at))
		var hints []string
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, h.Get("Link")))
			return nil
		}}
		req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, r.url, nil)
		if status, body := do(t, req); status != 200 || body != "ok" {
			t.Errorf("got %d %q", status, body)
		}
		if diff := cmp.Diff([]string{"103</style.css>"}, hints); diff != "" {
			t.Error(diff)
		}
	})
}

// TestProxy_ConnectionClose: a client that asks for the end of its connection gets
// it, with the response before.
func TestProxy_ConnectionClose(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		_, at := newReplica(t, respond("ok"))
		r := start(t, proxy.Config{})
		r.Switch(newPool(a, at))
		conn, _ := dial(t, r.url)
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		all, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(all), "\r\nConnection: close\r\n") || !strings.HasSuffix(string(all), "ok") {
			t.Errorf("got %q, %v", all, err)
		}
	})
}

// TestProxy_OwnDialer: replicas that only their own dialer reaches serve both paths.
func TestProxy_OwnDialer(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		_, at := newReplica(t, respond("inside"))
		var mu sync.Mutex
		dials := 0
		p := proxy.NewPool(a)
		p.AddDialer("replica-1:80", func(ctx context.Context) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dials++
			var d net.Dialer
			return d.DialContext(ctx, "tcp", at)
		})
		r := start(t, proxy.Config{ReadyTimeout: 250 * time.Millisecond})
		r.Switch(p)
		for range 5 {
			if status, body := get(t, r.url); status != 200 || body != "inside" {
				t.Fatalf("got %d %q", status, body)
			}
		}
		if dials != 1 {
			t.Errorf("%d connections for 5 requests, want 1", dials)
		}
		p.Remove("replica-1:80")
		p.Add("replica-2:80") // without a dialer it has no address
		if status, _ := get(t, r.url); status != http.StatusServiceUnavailable {
			t.Errorf("status %d without a dialer, want 503", status)
		}
	})
}
