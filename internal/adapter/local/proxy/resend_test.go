package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

// closingServer handles one request per connection, and closes it without notice
// when the next one begins, or right after the response if idle.
func closingServer(t *testing.T, idle bool, served *atomic.Int64) string {
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
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				served.Add(1)
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				if !idle {
					_, _ = in.ReadByte() // the next request has begun: close the connection
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestProxy_ResendsAfterKeepAliveRace: a replica that closes a used connection as a
// request comes in has probably not executed it. An idempotent one is sent again.
func TestProxy_ResendsAfterKeepAliveRace(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		for _, size := range []int{0, 100, 200 << 10} {
			t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
				var served atomic.Int64
				r := start(t, proxy.Config{})
				r.Switch(newPool(a, closingServer(t, false, &served)))
				for i, want := range []struct{ status, requests, errors int }{{200, 1, 0}, {200, 3, 1}} {
					req, _ := http.NewRequest(http.MethodPost, r.url, bytes.NewReader(make([]byte, size)))
					req.Header.Set("Idempotency-Key", fmt.Sprint(i))
					if status, body := do(t, req); status != want.status || body != "ok" {
						t.Fatalf("got %d %q", status, body)
					}
					r.wantTraffic(t, a, int64(want.requests), int64(want.errors))
				}
				if served.Load() != 2 {
					t.Errorf("the replica served %d requests, want 2", served.Load())
				}
			})
		}
	})
}

// TestProxy_DoesNotUseClosedConnection: a replica that closes idle connections gets
// every request on an open one, so even a POST is never lost.
func TestProxy_DoesNotUseClosedConnection(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		var served atomic.Int64
		r := start(t, proxy.Config{})
		r.Switch(newPool(a, closingServer(t, true, &served), closingServer(t, true, &served)))
		for range 50 {
			time.Sleep(5 * time.Millisecond) // the connection is idle when it is closed
			req, _ := http.NewRequest(http.MethodPost, r.url, strings.NewReader("x"))
			if status, body := do(t, req); status != 200 || body != "ok" {
				t.Fatalf("got %d %q", status, body)
			}
		}
		r.wantTraffic(t, a, 50, 0)
		if served.Load() != 50 {
			t.Errorf("the replicas served %d requests, want 50", served.Load())
		}
	})
}

// TestProxy_PoisonRequest: a request that kills its replica is not passed on to the
// others, on used connections either. Every attempt is recorded.
func TestProxy_PoisonRequest(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		cases := []struct {
			name, method, key string
			used              bool // the replicas' connections
			times             int64
		}{
			{"POST", http.MethodPost, "", false, 1},
			{"GET", http.MethodGet, "", false, 1},
			{"POST on used connections", http.MethodPost, "", true, 1},
			{"PATCH on used connections", http.MethodPatch, "", true, 1},
			{"PUT on used connections", http.MethodPut, "", true, 1},
			{"DELETE on used connections", http.MethodDelete, "", true, 1},
			{"GET on used connections", http.MethodGet, "", true, 2},
			{"HEAD on used connections", http.MethodHead, "", true, 2},
			{"POST with a key on used connections", http.MethodPost, "k", true, 2},
		}
		for _, c := range cases {
			for _, body := range []string{"", "poison"} {
				t.Run(fmt.Sprintf("%s, %d bytes", c.name, len(body)), func(t *testing.T) {
					var took atomic.Int64
					replica := func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						if r.URL.Path == "/poison" {
							took.Add(1)
							panic(http.ErrAbortHandler)
						}
					}
					r := start(t, proxy.Config{})
					p := proxy.NewPool(a)
					for range 4 {
						_, at := newReplica(t, replica)
						p.Add(at)
					}
					r.Switch(p)
					var warm int64
					for ; c.used && warm < 8; warm++ {
						get(t, r.url)
					}
					req, _ := http.NewRequest(c.method, r.url+"/poison", strings.NewReader(body))
					if c.key != "" {
						req.Header.Set("Idempotency-Key", c.key)
					}
					if status, _ := do(t, req); status != http.StatusBadGateway || took.Load() != c.times {
						t.Errorf("status %d after %d attempts, want 502 after %d", status, took.Load(), c.times)
					}
					r.wantTraffic(t, a, warm+c.times, c.times)
				})
			}
		}
	})
}

// TestProxy_RecordsHiddenFaults: a release that breaks off every fifth request is
// seen to do so, although users of idempotent requests get a response.
func TestProxy_RecordsHiddenFaults(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		var n atomic.Int64
		replica := func(_ http.ResponseWriter, _ *http.Request) {
			if n.Add(1)%5 == 0 {
				panic(http.ErrAbortHandler)
			}
		}
		r := start(t, proxy.Config{})
		_, one := newReplica(t, replica)
		_, two := newReplica(t, replica)
		r.Switch(newPool(a, one, two))
		for range 100 {
			get(t, r.url)
		}
		r.wantTraffic(t, a, n.Load(), n.Load()/5)
	})
}

func do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
