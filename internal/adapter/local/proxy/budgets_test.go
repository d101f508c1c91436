package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

// TestServer_LongHeader: a header beyond its limit is refused, of either path and of
// HTTP/2; the replica never sees it.
func TestServer_LongHeader(t *testing.T) {
	_, at := newReplica(t, func(http.ResponseWriter, *http.Request) { t.Error("the replica got a request") })
	r := startPlain(t, proxy.Config{})
	r.Switch(newPool(a, at))
	long := strings.Repeat("a", 80<<10)
	for name, beginning := range map[string]string{"HTTP/1.1": "GET / HTTP/1.1\r\nHost: x\r\nA: ", "HTTP/1.0": "GET / HTTP/1.0\r\nA: "} {
		conn, in := dial(t, r.url)
		go func() { _, _ = io.WriteString(conn, beginning+long+"\r\n\r\n") }()
		if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %v, %v, want 431", name, resp, err)
		}
	}
	req, _ := http.NewRequest(http.MethodGet, r.url, http.NoBody)
	req.Header.Set("A", long)
	if resp, err := http2Client().Do(req); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("HTTP/2: %v, want 431", resp.Status)
		}
	}
}

func http2Client() *http.Client {
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: transport}
}

// TestServer_StalledStreams: a body of HTTP/2 of which nothing comes ends; one that comes
// slowly does not, and neither does a stream of gRPC, which may be silent.
func TestServer_StalledStreams(t *testing.T) {
	_, at := newReplica(t, respond("ok"))
	r := startPlain(t, proxy.Config{StallTimeout: 600 * time.Millisecond})
	r.Switch(newPool(a, at))
	post := func(body io.Reader) (status string) {
		resp, err := http2Client().Post(r.url, "text/plain", body)
		if err != nil {
			return "error"
		}
		defer resp.Body.Close()
		return resp.Status
	}
	from, to := io.Pipe()
	go func() {
		for range 6 {
			time.Sleep(300 * time.Millisecond) // slower than StallTimeout in all
			_, _ = io.WriteString(to, "a")
		}
		to.Close()
	}()
	if got := post(from); got != "200 OK" {
		t.Errorf("a slow body: %s, want 200", got)
	}
	stalled, stalling := io.Pipe()
	defer stalling.Close()
	go func() { _, _ = io.WriteString(stalling, "a") }()
	start := time.Now()
	if got := post(stalled); got == "200 OK" || time.Since(start) > 5*time.Second {
		t.Errorf("a stalled body: %s after %s, want another status within 5 s", got, time.Since(start))
	}
	waitUntil(t, func() bool { return r.KeptBytes() == 0 })
}

// TestServer_UpgradedStreams: there are only so many streams of other protocols, and those
// without a byte for a time end.
func TestServer_UpgradedStreams(t *testing.T) {
	_, at := newReplica(t, echoUpgraded)
	r := startPlain(t, proxy.Config{MaxUpgraded: 2, UpgradeTimeout: 600 * time.Millisecond})
	r.Switch(newPool(a, at))
	upgrade := func() (net.Conn, io.Reader, int) {
		conn, in := dial(t, r.url)
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		return conn, in, resp.StatusCode
	}
	active, echoed, first := upgrade()
	_, silent, second := upgrade()
	if _, _, third := upgrade(); first != 101 || second != 101 || third != http.StatusServiceUnavailable {
		t.Fatalf("the streams began with %d, %d and %d, want two and 503", first, second, third)
	}
	one := make([]byte, 1)
	for range 10 {
		time.Sleep(150 * time.Millisecond)
		_, _ = io.WriteString(active, "x")
		if _, err := io.ReadFull(echoed, one); err != nil {
			t.Fatalf("the active stream: %v", err)
		}
	}
	if _, err := silent.Read(one); err == nil {
		t.Error("the silent stream is open")
	}
	waitUntil(t, func() bool { _, _, status := upgrade(); return status == 101 })
}

func echoUpgraded(w http.ResponseWriter, _ *http.Request) {
	conn, in, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(conn, in)
}

// TestServer_StalledUploads: whoever begins uploads and stops takes the memory of one
// budget, and only until the deadline.
func TestServer_StalledUploads(t *testing.T) {
	memorytest.Run(t, 192<<20, func() {
		_, at := newReplica(t, respond("ok"))
		r := startPlain(t, proxy.Config{StallTimeout: 3 * time.Second})
		r.Switch(newPool(a, at))
		part := bytes.Repeat([]byte("a"), 1<<20-1)
		for i := range 300 {
			conn, _ := dial(t, r.url)
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 1<<20)
			_, _ = conn.Write(part)
			if i%100 == 0 {
				if status, _ := get(t, r.url); status != http.StatusOK {
					t.Errorf("another client: status %d", status)
				}
			}
		}
		waitUntil(t, func() bool { return r.server.Connections() <= 1 }) // that of get
		if kept := r.KeptBytes(); kept != 0 {
			t.Errorf("%d bytes are kept after the deadline", kept)
		}
	})
}

// TestServer_CutBodyIsNoRequest: what a client sends after its upload was given up is not
// read as another request of the connection, although it was a streamed one.
func TestServer_CutBodyIsNoRequest(t *testing.T) {
	_, at := newReplica(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/smuggled" {
			t.Error("the rest of a body was taken for a request")
		}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	r := startPlain(t, proxy.Config{StallTimeout: 300 * time.Millisecond, MaxRetryBody: 1})
	r.Switch(newPool(a, at))
	conn, in := dial(t, r.url)
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", 100<<10, strings.Repeat("a", 99<<10))
	if resp, err := http.ReadResponse(in, nil); err != nil || !resp.Close {
		t.Errorf("a stalled upload: %v, %v, want the end of the connection", resp, err)
	}
	_, _ = io.WriteString(conn, "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
	_, _ = io.Copy(io.Discard, in) // to the end of the connection
}
