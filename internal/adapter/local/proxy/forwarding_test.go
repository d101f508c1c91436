package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestProxy_ForwardedHeaders(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		got := make(chan http.Header, 1)
		_, at := newReplica(t, func(w http.ResponseWriter, r *http.Request) {
			h := r.Header.Clone()
			h.Set("Host", r.Host)
			got <- h
			w.Header().Set("Connection", "X-Hop")
			w.Header().Set("X-Hop", "must not pass")
			w.Header().Set("X-End", "must pass")
		})
		r := start(t, proxy.Config{})
		r.Switch(newPool(a, at))
		req, _ := http.NewRequest(http.MethodGet, r.url, nil)
		req.Host = "retail.example"
		req.Header.Set("Connection", "X-Secret-Hop")
		req.Header.Set("X-Secret-Hop", "1")
		req.Header.Set("X-Forwarded-For", "6.6.6.6")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		h := <-got
		if h.Get("X-Secret-Hop") != "" || h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("Host") != "retail.example" {
			t.Errorf("the replica got %v", h)
		}
		if resp.Header.Get("X-Hop") != "" || resp.Header.Get("X-End") != "must pass" {
			t.Errorf("the client got %v", resp.Header)
		}
	})
}

func TestProxy_FlushesStreams(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		read := make(chan struct{})
		_, at := newReplica(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "data: 1\n")
			_ = http.NewResponseController(w).Flush()
			<-read // the client has received the first line before the second is written
			_, _ = io.WriteString(w, "data: 2\n")
		})
		r := start(t, proxy.Config{})
		r.Switch(newPool(a, at))
		resp, err := http.Get(r.url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewReader(resp.Body)
		if line, err := lines.ReadString('\n'); line != "data: 1\n" {
			t.Fatalf("first line = %q, %v", line, err)
		}
		close(read)
		if line, err := lines.ReadString('\n'); line != "data: 2\n" {
			t.Fatalf("second line = %q, %v", line, err)
		}
	})
}

func TestProxy_ProtocolUpgrade(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		_, at := newReplica(t, func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_, _ = io.Copy(c, rw)
		})
		r := start(t, proxy.Config{})
		p := newPool(a, at)
		r.Switch(p)
		c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		in := bufio.NewReader(c)
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("response = %v, %v; want status 101", resp, err)
		}
		fmt.Fprintf(c, "ping\n")
		if line, err := in.ReadString('\n'); line != "ping\n" {
			t.Fatalf("echo = %q, %v", line, err)
		}
		if p.InFlight() != 1 {
			t.Errorf("an open conversation does not hold the pool")
		}
		c.Close()
		drained, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := p.Drained(drained); err != nil {
			t.Errorf("the pool is held after the end: %v", err)
		}
	})
}

func TestProxy_StreamsLargeBody(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		_, at := newReplica(t, func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
		})
		gone, dead := newReplica(t, respond("dead"))
		gone.Close()
		r := start(t, proxy.Config{MaxRetryBody: 1000})
		r.Switch(newPool(a, dead, at))
		for _, chunked := range []bool{false, true} {
			var body io.Reader = strings.NewReader(strings.Repeat("x", 5000))
			if chunked {
				body = struct{ io.Reader }{body}
			}
			resp, err := http.Post(r.url, "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(got) != "5000" {
				t.Errorf("chunked %v: the replica got %s bytes, want 5000", chunked, got)
			}
		}
	})
}

func TestProxy_DoesNotRecordDisconnectedClient(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		began, left := make(chan struct{}), make(chan struct{})
		_, at := newReplica(t, func(_ http.ResponseWriter, r *http.Request) {
			close(began)
			<-r.Context().Done()
			close(left)
		})
		r := start(t, proxy.Config{})
		p := newPool(a, at)
		r.Switch(p)
		ctx, cancel := context.WithCancel(context.Background())
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
		done := make(chan struct{})
		go func() { defer close(done); _, _ = http.DefaultClient.Do(req) }()
		<-began
		cancel()
		<-done
		<-left
		drained, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		if err := p.Drained(drained); err != nil {
			t.Fatal(err)
		}
		r.wantTraffic(t, a, 0, 0)
	})
}

func TestProxy_RecordsTruncatedResponse(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		_, at := newReplica(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		r := start(t, proxy.Config{})
		r.Switch(newPool(a, at))
		resp, err := http.Get(r.url)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Error("half an answer passed for a whole one")
		}
		r.wantTraffic(t, a, 1, 1)
	})
}

func TestProxy_RecordsRespondingRelease(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		_, atA := newReplica(t, respond("a"))
		_, atB := newReplica(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
		r := start(t, proxy.Config{})
		r.Switch(newPool(a, atA))
		get(t, r.url)
		r.Switch(newPool(b, atB))
		get(t, r.url)
		get(t, r.url)
		r.wantTraffic(t, a, 1, 0)
		r.wantTraffic(t, b, 2, 2)
	})
}

// TestProxy_DoesNotRecordProbes: health probes get the same response as users,
// and the service cannot distinguish them, but they are not recorded.
func TestProxy_DoesNotRecordProbes(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		marked := make(chan string, 3)
		_, at := newReplica(t, func(w http.ResponseWriter, r *http.Request) {
			marked <- r.Header.Get(port.ProbeHeader)
			w.WriteHeader(http.StatusInternalServerError)
		})
		r := start(t, proxy.Config{ProbeToken: "token"})
		r.Switch(newPool(a, at))
		for _, mark := range []string{"token", "1"} { // the second is a user's
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(port.ProbeHeader, mark)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		get(t, r.url)
		if first, second, third := <-marked, <-marked, <-marked; first+second+third != "" {
			t.Errorf("the service saw the mark: %q, %q, %q", first, second, third)
		}
		r.wantTraffic(t, a, 2, 2)
	})
}
