package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/latency"
	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

const a, b = delivery.ReleaseID("r-aaaaaaaaaaaa"), delivery.ReleaseID("r-bbbbbbbbbbbb")

// testProxy is a proxy on a port with its recorder.
type testProxy struct {
	*proxy.Proxy
	url      string
	recorder *latency.Recorder
}

func newTestProxy(t *testing.T, cfg proxy.Config) *testProxy {
	m := &latency.Recorder{}
	cfg.Recorder = m
	p := proxy.New(cfg)
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return &testProxy{p, s.URL, m}
}

func (r *testProxy) traffic(id delivery.ReleaseID) port.Traffic {
	return r.recorder.Traffic(id, time.Now().Add(-time.Minute), time.Now())
}

func (r *testProxy) wantTraffic(t *testing.T, id delivery.ReleaseID, requests, errors int64) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second) // recorded after the response
	for {
		got := r.traffic(id)
		if got.Requests == requests && got.Errors == errors {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("traffic of %s = %d requests, %d errors; want %d, %d", id, got.Requests, got.Errors, requests, errors)
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}

func newReplica(t testing.TB, h http.HandlerFunc) (*httptest.Server, string) {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s, strings.TrimPrefix(s.URL, "http://")
}

func respond(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, text)
	}
}

func newPool(id delivery.ReleaseID, addresses ...string) *proxy.Pool {
	p := proxy.NewPool(id)
	for _, at := range addresses {
		p.Add(at)
	}
	return p
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
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

// TestSwitch_LosesNoRequest stops each previous release as soon as it is drained,
// under constant load.
func TestSwitch_LosesNoRequest(t *testing.T) {
	r := newTestProxy(t, proxy.Config{})
	start := func(i int) (*proxy.Pool, []*httptest.Server) {
		one, at1 := newReplica(t, respond(fmt.Sprint(i)))
		two, at2 := newReplica(t, respond(fmt.Sprint(i)))
		return newPool(delivery.ReleaseID(fmt.Sprintf("r-%012d", i)), at1, at2), []*httptest.Server{one, two}
	}

	first, servers := start(0)
	r.Switch(first)
	ctx, stop := context.WithCancel(context.Background())
	var users sync.WaitGroup
	var answered, lost atomic.Int64
	for i := range 8 {
		users.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				resp, err := client.Post(r.url+"/predict", "application/json", strings.NewReader(`{"price": 1}`))
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				if err != nil || resp.StatusCode != http.StatusOK {
					lost.Add(1)
				}
				answered.Add(1)
			}
		})
	}
	for i := 1; i <= 20; i++ {
		for before := answered.Load(); answered.Load() < before+50; {
			time.Sleep(time.Millisecond) // between two looks
		}
		next, nextServers := start(i)
		old := r.Switch(next)
		drained, cancel := context.WithTimeout(ctx, 10*time.Second)
		if err := old.Drained(drained); err != nil {
			t.Fatal(err)
		}
		cancel()
		for _, s := range servers {
			s.Listener.Close()
			s.CloseClientConnections()
		}
		servers = nextServers
	}
	stop()
	users.Wait()
	t.Logf("%d requests over 20 switches", answered.Load())
	if lost.Load() != 0 {
		t.Errorf("%d of %d requests were lost", lost.Load(), answered.Load())
	}
}

func TestProxy_SkipsDeadReplica(t *testing.T) {
	r := newTestProxy(t, proxy.Config{})
	_, alive := newReplica(t, respond("alive"))
	gone, dead := newReplica(t, respond("dead"))
	gone.Close()
	r.Switch(newPool(a, dead, alive))
	for range 10 {
		if code, body := get(t, r.url); code != 200 || body != "alive" {
			t.Fatalf("got %d %q", code, body)
		}
	}
	r.wantTraffic(t, a, 10, 0)
}

// closingServer handles one request per connection and closes it without notice,
// like a server whose keep-alive timeout has expired.
func closingServer(t *testing.T, served *atomic.Int64) string {
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
				_, _ = in.ReadByte() // the next request has begun: close the connection
			}()
		}
	}()
	return l.Addr().String()
}

func TestProxy_RetriesKeepAliveRace(t *testing.T) {
	for _, size := range []int{0, 100, 200 << 10} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			var served atomic.Int64
			r := newTestProxy(t, proxy.Config{})
			r.Switch(newPool(a, closingServer(t, &served), closingServer(t, &served)))
			for range 10 {
				resp, err := http.Post(r.url, "text/plain", bytes.NewReader(make([]byte, size)))
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 || string(body) != "ok" {
					t.Fatalf("got %d %q", resp.StatusCode, body)
				}
			}
			r.wantTraffic(t, a, 10, 0)
			if served.Load() != 10 {
				t.Errorf("the replicas served %d requests, want 10", served.Load())
			}
		})
	}
}

// TestProxy_DoesNotRetryPostOnNewConnection: a replica that received the whole
// request and died may have executed it.
func TestProxy_DoesNotRetryPostOnNewConnection(t *testing.T) {
	var took atomic.Int64
	abort := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		took.Add(1)
		panic(http.ErrAbortHandler)
	}
	cases := []struct {
		method string
		times  int64
	}{{http.MethodPost, 1}, {http.MethodPatch, 1}, {http.MethodGet, 3}, {http.MethodPut, 3}}
	for _, c := range cases {
		t.Run(c.method, func(t *testing.T) {
			took.Store(0)
			r := newTestProxy(t, proxy.Config{})
			_, one := newReplica(t, abort)
			_, two := newReplica(t, abort)
			_, three := newReplica(t, abort)
			_, four := newReplica(t, abort)
			r.Switch(newPool(a, one, two, three, four))
			req, _ := http.NewRequest(c.method, r.url, strings.NewReader("x"))
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadGateway || took.Load() != c.times {
				t.Errorf("status %d after %d tries, want 502 after %d", resp.StatusCode, took.Load(), c.times)
			}
			r.wantTraffic(t, a, 1, 1)
		})
	}
}

func TestProxy_WaitsForReplica(t *testing.T) {
	r := newTestProxy(t, proxy.Config{})
	p := newPool(a)
	r.Switch(p)
	_, at := newReplica(t, respond("at last"))
	asked := make(chan struct{})
	go func() {
		<-asked
		for p.InFlight() == 0 {
			time.Sleep(time.Millisecond) // between two looks
		}
		p.Add(at)
	}()
	close(asked)
	if code, body := get(t, r.url); code != 200 || body != "at last" {
		t.Errorf("got %d %q", code, body)
	}
}

func TestProxy_NoReplica(t *testing.T) {
	r := newTestProxy(t, proxy.Config{ReadyTimeout: 20 * time.Millisecond})
	if code, _ := get(t, r.url); code != http.StatusServiceUnavailable {
		t.Errorf("without a release: status %d, want 503", code)
	}
	r.Switch(newPool(a))
	if code, _ := get(t, r.url); code != http.StatusServiceUnavailable {
		t.Errorf("without a replica: status %d, want 503", code)
	}
	r.wantTraffic(t, a, 1, 1)
}
