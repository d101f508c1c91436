package kubernetes

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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const connectionRefused = "error forwarding port 8000 to pod a, uid : dial tcp4 127.0.0.1:8000: connect: connection refused"

// echoed sends a text through a stream and wants it back.
func echoed(t *testing.T, s *stream) {
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

func TestTunnelsDial(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*fakeKubelet)
		want   []string // methods of the requests
	}{
		{"prefers a WebSocket", func(*fakeKubelet) {}, []string{"GET"}},
		{"falls back to SPDY when the role lacks get", func(k *fakeKubelet) { k.webSocketStatus = http.StatusForbidden }, []string{"GET", "POST"}},
		{"falls back to SPDY when WebSockets are unknown", func(k *fakeKubelet) { k.webSocketStatus = http.StatusBadRequest }, []string{"GET", "POST"}},
		{"connects again when the connection breaks", func(k *fakeKubelet) { k.breakFirst = true }, []string{"GET", "GET"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newFakeKubelet(t)
			c.change(k)
			tun := newTunnels(k.cluster())
			defer tun.close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for range 2 { // the second stream shares the connection
				s, err := tun.dial(ctx, "a", 8000)
				if err != nil {
					t.Fatal(err)
				}
				echoed(t, s)
			}
			if diff := cmp.Diff(c.want, k.asked()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// unresponsive are the ways in which an API server or a node may fail to answer.
func unresponsive() map[string]func(net.Conn) {
	const spdyUpgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n"
	// upgraded refuses WebSockets and upgrades to SPDY.
	upgraded := func(c net.Conn) *bufio.Reader {
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil {
			return nil
		}
		if req.Method == http.MethodGet {
			_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.Close()
			return nil
		}
		_, _ = io.WriteString(c, spdyUpgrade)
		return r
	}
	return map[string]func(net.Conn){
		"accepts and is silent":       func(net.Conn) {},
		"ends before it answers":      func(c net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(c)); c.Close() },
		"upgrades and is silent":      func(c net.Conn) { upgraded(c) },
		"upgrades and ends":           func(c net.Conn) { upgraded(c); c.Close() },
		"ends between two frames":     func(c net.Conn) { readAndClose(c, upgraded(c)) },
		"answers with half a header":  func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-") },
		"answers with half of a body": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{") },
	}
}

// readAndClose ends a connection once the first stream is asked for.
func readAndClose(c net.Conn, r *bufio.Reader) {
	if r == nil {
		return
	}
	_, _ = r.ReadByte()
	time.Sleep(10 * time.Millisecond) // the frame is whole, the answer to it is not sent
	c.Close()
}

// TestContextEnds: whatever the other side does, a call ends with its context.
func TestContextEnds(t *testing.T) {
	const patience, late = 300 * time.Millisecond, 900 * time.Millisecond
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	calls := map[string]func(context.Context, *cluster, *tunnels) error{
		"dial": func(ctx context.Context, _ *cluster, tun *tunnels) error {
			_, err := tun.dial(ctx, "a", 8000)
			return err
		},
		"figures": func(ctx context.Context, _ *cluster, tun *tunnels) error {
			_, err := figures(ctx, tun, pod, 8000)
			return err
		},
		"logs": func(ctx context.Context, c *cluster, _ *tunnels) error {
			_, err := c.logs(ctx, "ns", "a", "main", false, 10)
			return err
		},
		"list": func(ctx context.Context, c *cluster, _ *tunnels) error {
			_, err := c.list(ctx, pods(), "")
			return err
		},
		"kinds": func(ctx context.Context, c *cluster, _ *tunnels) error {
			_, err := c.kindOf(ctx, schema.GroupVersionKind{Group: "example.org", Version: "v1", Kind: "Thing"})
			return err
		},
		"version": func(ctx context.Context, c *cluster, _ *tunnels) error {
			c.linger(ctx)
			return ctx.Err()
		},
	}
	for how, serve := range unresponsive() {
		for name, call := range calls {
			t.Run(name+" when the server "+how, func(t *testing.T) {
				t.Parallel()
				c := clusterAt(t, rawServer(t, serve))
				tun := newTunnels(c)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				begun := time.Now()
				err := call(ctx, c, tun)
				if took := time.Since(begun); took > late {
					t.Errorf("took %s with a context of %s", took, patience)
				}
				if err == nil && name != "version" {
					t.Error("no error")
				}
				begun = time.Now()
				tun.close()
				if took := time.Since(begun); took > 100*time.Millisecond {
					t.Errorf("close took %s", took)
				}
			})
		}
	}
}

// TestTunnelsDial_DoesNotWaitForOthers: a connection that hangs keeps nobody
// from another pod, nor the target from ending an address.
func TestTunnelsDial_DoesNotWaitForOthers(t *testing.T) {
	c := clusterAt(t, rawServer(t, unresponsive()["upgrades and is silent"]))
	target := New(Config{})
	target.conn = c
	url, err := target.forwardTo(c, "api", "prod", "r-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	f := target.forwards[forwardKey("api", "prod", "r-1")]
	f.pick = func(context.Context) (string, int, error) { return "a", 8000, nil }
	hanging := make(chan struct{})
	go func() {
		defer close(hanging)
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
		}
	}()
	time.Sleep(200 * time.Millisecond) // it has begun by then
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := f.tunnels.dial(ctx, "b", 8000); err == nil {
		t.Error("no error")
	}
	target.unforward(port.DeployRequest{Service: "api", Environment: "prod", ID: "r-1"})
	if took := time.Since(begun); took > time.Second {
		t.Errorf("took %s", took)
	}
	<-hanging
}

// TestTunnelsDial_DropsBrokenTunnels: what failed is not used again.
func TestTunnelsDial_DropsBrokenTunnels(t *testing.T) {
	tun := newTunnels(clusterAt(t, rawServer(t, unresponsive()["ends between two frames"])))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := tun.dial(ctx, "a", 8000); err == nil {
		t.Error("no error")
	}
	for range 100 {
		tun.mu.Lock()
		left := len(tun.open)
		tun.mu.Unlock()
		if left == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the broken tunnel is still there")
}

func TestTunnelsDial_ReturnsLackOfRights(t *testing.T) {
	url := rawServer(t, func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		body := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"pods \"a\" is forbidden: no"}`
		resp := http.Response{StatusCode: http.StatusForbidden, ProtoMajor: 1, ProtoMinor: 1, Request: req, Close: true,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		_ = resp.Write(c)
		c.Close()
	})
	begun := time.Now()
	_, err := newTunnels(clusterAt(t, url)).dial(t.Context(), "a", 8000)
	if !fault.Is(err, fault.Denied) {
		t.Errorf("error = %v, want %s", err, fault.Denied)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestStreamRead_ReturnsCauseOfPod(t *testing.T) {
	for _, status := range []int{0, http.StatusForbidden} { // a WebSocket, and SPDY
		k := newFakeKubelet(t)
		k.refusal, k.webSocketStatus = connectionRefused, status
		s, err := newTunnels(k.cluster()).dial(t.Context(), "a", 8000)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		_, err = io.ReadAll(s)
		if err == nil || err.Error() != connectionRefused {
			t.Errorf("error = %v, want %s", err, connectionRefused)
		}
	}
}

func TestFigures_ReturnsCauseOfPod(t *testing.T) {
	k := newFakeKubelet(t)
	k.refusal = connectionRefused
	begun := time.Now()
	_, err := figures(t.Context(), newTunnels(k.cluster()), corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, 8000)
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error = %v, want that the connection was refused", err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

// TestForward_ReportsCause: the address tells its caller why no pod answers.
func TestForward_ReportsCause(t *testing.T) {
	for _, c := range []struct {
		name string
		pick error
		want string
	}{
		{"the pod refuses", nil, connectionRefused},
		{"no pod", errNoPod, errNoPod.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newFakeKubelet(t)
			k.refusal = connectionRefused
			target := New(Config{})
			target.conn = k.cluster()
			defer target.Close()
			url, err := target.forwardTo(target.conn, "api", "prod", "r-1", nil)
			if err != nil {
				t.Fatal(err)
			}
			target.forwards[forwardKey("api", "prod", "r-1")].pick = func(context.Context) (string, int, error) { return "a", 8000, c.pick }
			resp, err := http.Post(url+"/predict", "application/json", strings.NewReader(strings.Repeat(" ", 100_000)))
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

// TestWithin_DiscardsLateValues: nothing leaks that comes too late.
func TestWithin_DiscardsLateValues(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	release, discarded := make(chan struct{}), make(chan int, 1)
	_, err := within(ctx, func() (int, error) { <-release; return 7, nil }, func(v int) { discarded <- v })
	if !errors.Is(err, why) {
		t.Errorf("error = %v, want %v", err, why)
	}
	close(release)
	if v := <-discarded; v != 7 {
		t.Errorf("discarded %d, want 7", v)
	}
}
