package objecttest

import (
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/postgres/postgrestest"
)

func (s *Server) startPostgres(t testing.TB) {
	t.Helper()
	if why := postgrestest.Missing(); why != "" {
		missing(t, "postgres", why)
	}
	server, err := url.Parse(postgrestest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go s.Faults.forward(l, server.Host)
	at := *server
	at.Host = l.Addr().String()
	s.at = func(prefix string) string { return at.String() + "&scope=" + url.QueryEscape(prefix) }
}

// forward passes connections on to the server, behind the faults, until the listener is
// closed.
func (f *Faults) forward(l net.Listener, server string) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				return
			}
			defer upstream.Close()
			f.exchange(client, upstream)
		}()
	}
}

// exchange passes what the two say on to each other. What a client sends in one go, up
// to the response, counts as one request, and as a write.
func (f *Faults) exchange(client, server net.Conn) {
	lost := make(chan bool, 1) // the response will be
	go func() {
		defer client.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			select {
			case <-lost:
				return
			default:
			}
			if n > 0 {
				if _, err := client.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		switch f.next(true) {
		case None:
		case Slow:
			time.Sleep(slowness)
		case LostResponse:
			lost <- true
			if _, err := server.Write(buffer[:n]); err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, client) // until the response has come, and broken the connection
			return
		default:
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}
