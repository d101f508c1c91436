package proxy_test

import (
	"context"
	"fmt"
	"io"
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
	server   *proxy.Server // nil: the general path alone
}

// startFunc starts a proxy with the server of one path.
type startFunc func(*testing.T, proxy.Config) *testProxy

// onBothPaths runs a test on the path of plain requests, which hands others over, and
// on the general one.
func onBothPaths(t *testing.T, test func(*testing.T, startFunc)) {
	t.Run("plain", func(t *testing.T) { test(t, startPlain) })
	t.Run("general", func(t *testing.T) { test(t, startGeneral) })
}

func startPlain(t *testing.T, cfg proxy.Config) *testProxy {
	r := newTestProxy(cfg)
	s, err := proxy.Listen(r.Proxy, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Close(ctx)
	})
	r.url, r.server = s.URL(), s
	return r
}

func startGeneral(t *testing.T, cfg proxy.Config) *testProxy {
	r := newTestProxy(cfg)
	s := httptest.NewServer(r.Proxy)
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func newTestProxy(cfg proxy.Config) *testProxy {
	m := &latency.Recorder{}
	cfg.Recorder = m
	return &testProxy{Proxy: proxy.New(cfg), recorder: m}
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
	onBothPaths(t, func(t *testing.T, start startFunc) {
		r := start(t, proxy.Config{})
		startRelease := func(i int) (*proxy.Pool, []*httptest.Server) {
			one, at1 := newReplica(t, respond(fmt.Sprint(i)))
			two, at2 := newReplica(t, respond(fmt.Sprint(i)))
			return newPool(delivery.ReleaseID(fmt.Sprintf("r-%012d", i)), at1, at2), []*httptest.Server{one, two}
		}

		first, servers := startRelease(0)
		r.Switch(first)
		ctx, stop := context.WithCancel(context.Background())
		var users sync.WaitGroup
		var answered, lost atomic.Int64
		for i := range 8 {
			users.Go(func() {
				client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
				defer client.CloseIdleConnections()
				for ctx.Err() == nil {
					var body io.Reader = strings.NewReader(`{"price": 1}`)
					if i >= 4 {
						body = io.MultiReader(body) // chunked
					}
					resp, err := client.Post(r.url+"/predict", "application/json", body)
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
			next, nextServers := startRelease(i)
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
	})
}

func TestProxy_SkipsDeadReplica(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		r := start(t, proxy.Config{})
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
	})
}

func TestProxy_WaitsForReplica(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		r := start(t, proxy.Config{})
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
	})
}

func TestProxy_NoReplica(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		r := start(t, proxy.Config{ReadyTimeout: 20 * time.Millisecond})
		if code, _ := get(t, r.url); code != http.StatusServiceUnavailable {
			t.Errorf("without a release: status %d, want 503", code)
		}
		r.Switch(newPool(a))
		if code, _ := get(t, r.url); code != http.StatusServiceUnavailable {
			t.Errorf("without a replica: status %d, want 503", code)
		}
		r.wantTraffic(t, a, 1, 1)
	})
}
