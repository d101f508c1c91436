package portforward

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const connectionRefused = "error forwarding port 8000 to pod a, uid : dial tcp4 127.0.0.1:8000: connect: connection refused"

// checkEcho sends a text through a connection and expects it back.
func checkEcho(t *testing.T, s *Conn) {
	t.Helper()
	defer s.Close()
	if _, err := io.WriteString(s, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(s)
	if err != nil || string(text) != "hello" {
		t.Errorf("read %q, %v; want hello", text, err)
	}
}

func TestPoolDial(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*fakeapi.Kubelet)
		want   []string // methods of the requests
	}{
		{"prefers a WebSocket", func(*fakeapi.Kubelet) {}, []string{"GET"}},
		{"falls back to SPDY when the role lacks get", func(k *fakeapi.Kubelet) { k.WebSocketStatus = http.StatusForbidden }, []string{"GET", "POST"}},
		{"falls back to SPDY when WebSockets are unknown", func(k *fakeapi.Kubelet) { k.WebSocketStatus = http.StatusBadRequest }, []string{"GET", "POST"}},
		{"connects again when the connection breaks", func(k *fakeapi.Kubelet) { k.BreakFirst = true }, []string{"GET", "GET"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := fakeapi.NewKubelet(t)
			c.change(k)
			pool := NewPool(k.Client())
			defer pool.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for range 2 { // the second stream shares the connection
				s, err := pool.Dial(ctx, "a", 8000)
				if err != nil {
					t.Fatal(err)
				}
				checkEcho(t, s)
			}
			if diff := cmp.Diff(c.want, k.Methods()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPool_EndsWithContext: whatever the other side does, Dial ends with its context,
// and Close at once.
func TestPool_EndsWithContext(t *testing.T) {
	const timeout, late = 300 * time.Millisecond, 900 * time.Millisecond
	for how, serve := range fakeapi.Unresponsive() {
		t.Run("server "+how, func(t *testing.T) {
			t.Parallel()
			pool := NewPool(fakeapi.ClientAt(t, silenttest.Listen(t, serve).URL("http")))
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			start := time.Now()
			_, err := pool.Dial(ctx, "a", 8000)
			if took := time.Since(start); took > late {
				t.Errorf("took %s with a context of %s", took, timeout)
			}
			if err == nil {
				t.Error("no error")
			}
			start = time.Now()
			pool.Close()
			if took := time.Since(start); took > 100*time.Millisecond {
				t.Errorf("Close took %s", took)
			}
		})
	}
}

// TestPoolDial_DoesNotWaitForOthers: a tunnel that hangs does not delay connections to
// other pods, nor the end of the address.
func TestPoolDial_DoesNotWaitForOthers(t *testing.T) {
	pool := NewPool(fakeapi.ClientAt(t, silenttest.Listen(t, fakeapi.Unresponsive()["upgrades and is silent"]).URL("http")))
	f, err := Listen(pool, func(context.Context) (string, int, error) { return "a", 8000, nil })
	if err != nil {
		t.Fatal(err)
	}
	hanging := make(chan struct{})
	go func() {
		defer close(hanging)
		if resp, err := http.Get(f.URL()); err == nil {
			resp.Body.Close()
		}
	}()
	for { // until its tunnel is being made
		pool.mu.Lock()
		begun := len(pool.tunnels) > 0
		pool.mu.Unlock()
		if begun {
			break
		}
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := pool.Dial(ctx, "b", 8000); err == nil {
		t.Error("no error")
	}
	f.Close()
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %s", took)
	}
	<-hanging
}

// TestPoolDial_DropsBrokenTunnels: what failed is not used again.
func TestPoolDial_DropsBrokenTunnels(t *testing.T) {
	pool := NewPool(fakeapi.ClientAt(t, silenttest.Listen(t, fakeapi.Unresponsive()["ends between two frames"]).URL("http")))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := pool.Dial(ctx, "a", 8000); err == nil {
		t.Error("no error")
	}
	for range 100 {
		pool.mu.Lock()
		left := len(pool.tunnels)
		pool.mu.Unlock()
		if left == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the broken tunnel is still there")
}

func TestPoolDial_ReturnsLackOfRights(t *testing.T) {
	url := silenttest.Listen(t, func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		body := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"pods \"a\" is forbidden: no"}`
		resp := http.Response{StatusCode: http.StatusForbidden, ProtoMajor: 1, ProtoMinor: 1, Request: req, Close: true,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		_ = resp.Write(c)
		c.Close()
	}).URL("http")
	begun := time.Now()
	_, err := NewPool(fakeapi.ClientAt(t, url)).Dial(t.Context(), "a", 8000)
	if !fault.Is(err, fault.Denied) {
		t.Errorf("error = %v, want %s", err, fault.Denied)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestConnRead_ReturnsCauseOfPod(t *testing.T) {
	for _, c := range []struct {
		name      string
		status    int
		keepsData bool
	}{
		{"WebSocket", 0, false},
		{"WebSocket, data stays open", 0, true},
		{"SPDY", http.StatusForbidden, false},
		{"SPDY, data stays open", http.StatusForbidden, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := fakeapi.NewKubelet(t)
			k.Refusal, k.WebSocketStatus, k.KeepsData = connectionRefused, c.status, c.keepsData
			c, err := NewPool(k.Client()).Dial(t.Context(), "a", 8000)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = io.ReadAll(c)
			if err == nil || err.Error() != connectionRefused {
				t.Errorf("error = %v, want %s", err, connectionRefused)
			}
		})
	}
}

// TestPoolDial_AfterRefusal: the tunnel on which a pod has refused a connection is not used
// again, and what uses it goes on.
func TestPoolDial_AfterRefusal(t *testing.T) {
	k := fakeapi.NewKubelet(t)
	p := NewPool(k.Client())
	inUse, err := p.Dial(t.Context(), "a", 8000)
	if err != nil {
		t.Fatal(err)
	}
	first := p.tunnelTo("a")
	first.onRefusal()
	again, err := p.Dial(t.Context(), "a", 8000)
	if err != nil {
		t.Fatal(err)
	}
	checkEcho(t, again)
	if p.tunnelTo("a") == first {
		t.Error("the tunnel is used again")
	}
	checkEcho(t, inUse) // which closes it
	select {
	case <-first.conn.CloseChan():
	case <-time.After(5 * time.Second):
		t.Error("the tunnel that nothing uses is still open")
	}
}

// TestForwarder_ReportsCause: the address tells its caller why no pod responds.
func TestForwarder_ReportsCause(t *testing.T) {
	noPod := errors.New("no pod is ready")
	for _, c := range []struct {
		name string
		pick error
		want string
	}{
		{"the pod refuses", nil, connectionRefused},
		{"no pod", noPod, noPod.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := fakeapi.NewKubelet(t)
			k.Refusal = connectionRefused
			f, err := Listen(NewPool(k.Client()), func(context.Context) (string, int, error) { return "a", 8000, c.pick })
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			resp, err := http.Post(f.URL()+"/predict", "application/json", strings.NewReader(strings.Repeat(" ", 100_000)))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get(port.ForwardErrorHeader); got != c.want || resp.StatusCode != http.StatusBadGateway {
				t.Errorf("status %d, cause %q; want 502, %q", resp.StatusCode, got, c.want)
			}
		})
	}
}

// TestWithContext_DiscardsLateValues: nothing leaks that comes too late.
func TestWithContext_DiscardsLateValues(t *testing.T) {
	cause := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	release, discarded := make(chan struct{}), make(chan int, 1)
	_, err := withContext(ctx, func() (int, error) { <-release; return 7, nil }, func(v int) { discarded <- v })
	if !errors.Is(err, cause) {
		t.Errorf("error = %v, want %v", err, cause)
	}
	close(release)
	if v := <-discarded; v != 7 {
		t.Errorf("discarded %d, want 7", v)
	}
}
