package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

// TestTargets_L23_SlowHeaders: clients that send a byte of a header now and then are
// cut off, and others are served meanwhile.
func TestTargets_L23_SlowHeaders(t *testing.T) {
	for name, beginning := range map[string]string{"plain": "GET / HTTP/1.1\r\nHost: x\r\nA: ", "handed over": "GET / HTTP/1.0\r\nA: "} {
		t.Run(name, func(t *testing.T) {
			_, at := newReplica(t, respond("ok"))
			r := startPlain(t, proxy.Config{HeaderTimeout: time.Second})
			r.Switch(newPool(a, at))
			var slow sync.WaitGroup
			for range 50 {
				conn, in := dial(t, r.url)
				slow.Go(func() {
					_, _ = io.WriteString(conn, beginning)
					for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
						if _, err := io.WriteString(conn, "a"); err != nil {
							return
						}
						if time.Since(start) > 8*time.Second {
							t.Error("a header is waited for longer than its time")
							return
						}
						_ = in
					}
				})
			}
			for range 20 {
				if status, _ := get(t, r.url); status != 200 {
					t.Errorf("another client: status %d", status)
				}
			}
			slow.Wait()
		})
	}
}

// TestServer_StalledBodies: a body of which nothing comes ends its connection; one
// that comes slowly does not, however long it takes.
func TestServer_StalledBodies(t *testing.T) {
	_, at := newReplica(t, respond("ok"))
	r := startPlain(t, proxy.Config{StallTimeout: 600 * time.Millisecond})
	r.Switch(newPool(a, at))
	for name, head := range map[string]string{"plain": "Content-Length: 6\r\n\r\n", "handed over": "X: \x80\r\nConnection: X\r\nContent-Length: 6\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			conn, in := dial(t, r.url)
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+head)
			for range 6 {
				time.Sleep(300 * time.Millisecond) // slower than StallTimeout in all
				_, _ = io.WriteString(conn, "a")
			}
			if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 200 {
				t.Fatalf("slow body: %v, %v", resp, err)
			}
			stalled, rest := dial(t, r.url)
			_, _ = io.WriteString(stalled, "POST / HTTP/1.1\r\nHost: x\r\n"+head+"a")
			start := time.Now()
			_, _ = io.ReadAll(rest)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("a stalled body was waited for for %s", took)
			}
		})
	}
}

// TestServer_ClientThatTakesNothing: a client that does not read its response is cut
// off, and the replica is free again.
func TestServer_ClientThatTakesNothing(t *testing.T) {
	for name, version := range map[string]string{"plain": "1.1", "handed over": "1.0"} {
		t.Run(name, func(t *testing.T) {
			_, at := newReplica(t, func(w http.ResponseWriter, _ *http.Request) {
				for range 1000 {
					if _, err := w.Write(make([]byte, 64<<10)); err != nil {
						return
					}
				}
			})
			r := startPlain(t, proxy.Config{StallTimeout: 500 * time.Millisecond})
			p := newPool(a, at)
			r.Switch(p)
			conn, _ := dial(t, r.url)
			_, _ = io.WriteString(conn, "GET / HTTP/"+version+"\r\nHost: x\r\n\r\n")
			waitUntil(t, func() bool { return p.InFlight() == 1 })
			waitUntil(t, func() bool { return p.InFlight() == 0 })
			r.wantTraffic(t, a, 0, 0)
		})
	}
}

// TestServer_MakesRoom: where there are too many connections, those that wait longest
// for a request are closed.
func TestServer_MakesRoom(t *testing.T) {
	_, at := newReplica(t, respond("ok"))
	r := startPlain(t, proxy.Config{MaxConnections: 20})
	r.Switch(newPool(a, at))
	for range 60 {
		dial(t, r.url)
	}
	for i := range 20 {
		conn, in := dial(t, r.url)
		_, _ = io.WriteString(conn, get1)
		if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 200 {
			t.Fatalf("client %d behind 60 idle ones: %v, %v", i, resp, err)
		}
	}
	if n := r.server.Connections(); n > 20 {
		t.Errorf("%d connections, want at most 20", n)
	}
}

// TestProxy_BudgetOfBodies: bodies beyond the budget are forwarded, too, but not kept.
func TestProxy_BudgetOfBodies(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		release := make(chan struct{})
		_, at := newReplica(t, func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			<-release
			fmt.Fprint(w, n)
		})
		r := start(t, proxy.Config{MaxKept: 100 << 10})
		p := newPool(a, at)
		r.Switch(p)
		var users sync.WaitGroup
		for range 5 {
			users.Go(func() {
				resp, err := http.Post(r.url, "text/plain", strings.NewReader(strings.Repeat("x", 40<<10)))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if got, _ := io.ReadAll(resp.Body); string(got) != "40960" {
					t.Errorf("the replica got %s bytes", got)
				}
			})
		}
		waitUntil(t, func() bool { return p.InFlight() == 5 })
		if kept := r.KeptBytes(); kept == 0 || kept > 100<<10 {
			t.Errorf("%d bytes are kept, want some, within the budget", kept)
		}
		close(release)
		users.Wait()
	})
}

// TestProxy_Sampler: chosen exchanges are sampled on both paths, in whatever form.
func TestProxy_Sampler(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		var mu sync.Mutex
		var got []string
		sampler := func(method, target string) func(proxy.Sample) {
			if target == "/health" {
				return nil
			}
			return func(s proxy.Sample) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, fmt.Sprintf("%s %s %s %d %s -> %s", s.Release, method, target, s.Status, s.Request, s.Response))
			}
		}
		_, at := newReplica(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			switch r.URL.Path {
			case "/flushed":
				for _, c := range body {
					_, _ = w.Write([]byte{c, c})
					_ = http.NewResponseController(w).Flush()
				}
			case "/long":
				_, _ = w.Write(make([]byte, proxy.MaxSampledBody+1))
			default:
				_, _ = w.Write(body)
			}
		})
		r := start(t, proxy.Config{Sample: sampler})
		r.Switch(newPool(a, at))
		for _, path := range []string{"/predict?x=1", "/flushed", "/long", "/health"} {
			req, _ := http.NewRequest(http.MethodPost, r.url+path, strings.NewReader("abc"))
			do(t, req)
		}
		want := []string{string(a) + " POST /predict?x=1 200 abc -> abc", string(a) + " POST /flushed 200 abc -> aabbcc"}
		waitUntil(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(got) >= len(want) })
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(8 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 8 s")
		}
	}
}
