// Package silenttest holds adapters to one rule: nothing waits for ever, and nothing
// holds a lock while it asks. It provides servers that accept a connection and then fail
// to answer, and checks that every function of an adapter returns once its context ends.
package silenttest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Serve is what a server does with a connection that it has accepted. The connection is
// closed when the test ends, not when Serve returns.
type Serve func(net.Conn)

// Raw returns the ways in which any server may fail to answer, by what it does.
func Raw() map[string]Serve {
	return map[string]Serve{
		"is silent":           func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"ends at once":        func(c net.Conn) { c.Close() },
		"ends after a byte":   func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); c.Close() },
		"is silent, halfway":  func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); _, _ = c.Write([]byte{0}) },
		"answers without end": func(c net.Conn) { go io.Copy(io.Discard, c); trickle(c, []byte{0}) }, //nolint:errcheck // it ends with the test
	}
}

// HTTP returns the ways in which a server of HTTP may fail to answer, by what it does.
func HTTP() map[string]Serve {
	const chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
	const sized = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
	answer := func(text string, end bool) Serve {
		return func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				c.Close() // a client that tries TLS first shall try without
				return
			}
			_, _ = io.WriteString(c, text)
			if end {
				c.Close()
			}
		}
	}
	return map[string]Serve{
		"is silent":                      Raw()["is silent"],
		"ends before it answers":         answer("", true),
		"ends in the header":             answer("HTTP/1.1 200 OK\r\nContent-", true),
		"is silent after the header":     answer(sized, false),
		"ends after the header":          answer(sized, true),
		"is silent in the body":          answer(sized+"{", false),
		"ends in the body":               answer(sized+"{", true),
		"is silent between two frames":   answer(chunked+"1\r\n{\r\n", false),
		"ends between two frames":        answer(chunked+"1\r\n{\r\n", true),
		"answers with endless spaces":    func(c net.Conn) { answer(chunked, false)(c); trickle(c, []byte("1\r\n \r\n")) },
		"is silent after an interim 100": answer("HTTP/1.1 100 Continue\r\n\r\n", false),
	}
}

// Server is a server that fails to answer.
type Server struct {
	Network string // tcp or unix
	Address string

	accepted chan struct{} // closed with the first connection
}

// URL returns the server's address as a URL.
func (s *Server) URL(scheme string) string { return scheme + "://" + s.Address }

// Listen starts a server on a port of this machine.
func Listen(t testing.TB, serve Serve) *Server {
	t.Helper()
	return start(t, "tcp", "127.0.0.1:0", serve)
}

// ListenUnix starts a server on a socket in a folder of the test.
func ListenUnix(t testing.TB, serve Serve) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "silent-") // paths of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return start(t, "unix", filepath.Join(dir, "socket"), serve)
}

func start(t testing.TB, network, address string, serve Serve) *Server {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Network: network, Address: l.Addr().String(), accepted: make(chan struct{})}
	var mu sync.Mutex
	var open []net.Conn
	closed := false
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		closed = true
		for _, c := range open {
			c.Close()
		}
	})
	go func() {
		var once sync.Once
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			if closed {
				c.Close()
			}
			mu.Unlock()
			once.Do(func() { close(s.accepted) })
			go serve(c)
		}
	}()
	return s
}
