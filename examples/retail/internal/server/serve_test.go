package server

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
)

// A request whose body is still on its way when the server is told to stop is
// answered; meanwhile /ready returns 503, and afterwards the port is closed.
func TestServe_FinishesRequestsInFlight(t *testing.T) {
	s := newServer(t, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l, Drain{Delay: 200 * time.Millisecond, Limit: 5 * time.Second}) }()

	inFlight, answers := begin(t, address, len(goodRow), goodRow[:10])
	status(t, "http://"+address+"/ready", http.StatusOK)

	stop()
	for !s.draining.Load() {
		time.Sleep(time.Millisecond)
	}
	status(t, "http://"+address+"/ready", http.StatusServiceUnavailable)
	time.Sleep(300 * time.Millisecond) // past the delay: Shutdown is waiting for us now
	fmt.Fprint(inFlight, goodRow[10:])
	answer, err := http.ReadResponse(answers, nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the request in flight got %v, %v", answer, err)
	}
	answer.Body.Close()
	if err := <-done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

// begin sends a prediction's head and the beginning of its body, and returns once
// the handler reads the body. A request whose head is still being read when the
// server shuts down is dropped: net/http does not count it as in flight.
func begin(t *testing.T, address string, length int, body string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", length)
	answers := bufio.NewReader(conn)
	const want = "HTTP/1.1 100 Continue\r\n\r\n" // net/http writes it at the handler's first read
	got := make([]byte, len(want))
	if _, err := io.ReadFull(answers, got); err != nil || string(got) != want {
		t.Fatalf("the handler did not begin to read: %q, %v", got, err)
	}
	fmt.Fprint(conn, body)
	return conn, answers
}

func status(t *testing.T, url string, want int) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != want {
		t.Errorf("%s answers %d, expected %d", url, answer.StatusCode, want)
	}
}

func TestServe_ReportsUnfinishedRequests(t *testing.T) {
	s := newServer(t, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l, Drain{Limit: 50 * time.Millisecond}) }()
	begin(t, l.Addr().String(), 99, "{")
	status(t, "http://"+l.Addr().String()+"/ready", http.StatusOK)
	stop()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "in flight after 50ms") {
		t.Errorf("Serve returned %v", err)
	}
}
