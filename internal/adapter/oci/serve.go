package oci

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Listener serves the embedded registry to other tools of this machine.
type Listener struct {
	srv  *http.Server
	addr string
	done chan struct{}
}

// Listen serves the registry at a loopback address ("127.0.0.1:5000", port 0:
// any), and at no other: it asks nobody for a password.
func (e *Embedded) Listen(addr string) (*Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || !isLoopback(host) {
		return nil, fault.New(fault.Invalid, "serve the embedded registry at %q: it is for this machine only", addr).
			Hint("use %s", DefaultAddress)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "serve the embedded registry at %s", addr).
			Hint("is another program using the port? choose another one").Cause(err)
	}
	out := &Listener{addr: l.Addr().String(), done: make(chan struct{}), srv: &http.Server{
		Handler:           localHosts(e.app),
		ErrorLog:          log.New(io.Discard, "", 0),
		BaseContext:       baseContext(silence(context.Background())),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
	}}
	go func() { defer close(out.done); _ = out.srv.Serve(l) }() // ends with Close
	return out, nil
}

// Addr is where it listens, "127.0.0.1:5000".
func (l *Listener) Addr() string { return l.addr }

// Close ends it; requests under way have a second to finish.
func (l *Listener) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := l.srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = l.srv.Close()
	}
	<-l.done
	return err
}

// localHosts refuses requests that were meant for another host: a web page that
// points its own name at this machine.
func localHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !isLoopback(host) {
			http.Error(w, "this registry is for this machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func baseContext(ctx context.Context) func(net.Listener) context.Context {
	return func(net.Listener) context.Context { return ctx }
}

// memory is a listener whose connections are made within the process.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemory() *memory {
	return &memory{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case m.conns <- there:
		return here, nil
	case <-m.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error { m.once.Do(func() { close(m.done) }); return nil }

func (m *memory) Addr() net.Addr { return memoryAddr{} }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return embeddedHost }
