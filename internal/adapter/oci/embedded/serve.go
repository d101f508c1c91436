package embedded

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/oci/repository"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/loopback"
)

// maxHeaderBytes is the size of a request's header.
const maxHeaderBytes = 64 << 10

// Listener serves the registry to other tools on this machine.
type Listener struct {
	srv  *http.Server
	addr string
	done chan struct{}
}

// Handler returns the registry without any restriction: whoever serves it decides who
// may write and delete.
func (r *Registry) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.handler.ServeHTTP(w, req.WithContext(withoutLogs(req.Context())))
	})
}

// Listen serves the registry at a loopback address ("127.0.0.1:5000", port 0: any
// free one), for reading, and for pushing with the token if there is one. Other
// addresses are refused, because there is no encryption.
func (r *Registry) Listen(addr, token string) (*Listener, error) {
	if token != "" {
		if err := ValidateToken(token); err != nil {
			return nil, err
		}
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil || !loopback.IsHost(host) {
		return nil, fault.New(fault.Invalid, "serve the embedded registry at %q: only loopback addresses are allowed", addr).
			Hint("use %s", DefaultAddress)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "serve the embedded registry at %s", addr).
			Hint("is another program using the port? Choose another one").Cause(err)
	}
	out := &Listener{addr: l.Addr().String(), done: make(chan struct{}), srv: &http.Server{
		Handler:           refuseOtherHosts(guard{r.handler, token}),
		ErrorLog:          log.New(io.Discard, "", 0),
		BaseContext:       baseContext(withoutLogs(context.Background())),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeaderBytes,
	}}
	go func() { defer close(out.done); _ = out.srv.Serve(l) }() // ends with Close
	return out, nil
}

// Addr returns where it listens, "127.0.0.1:5000".
func (l *Listener) Addr() string { return l.addr }

// Close ends it; requests in flight have a second to finish.
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

// refuseOtherHosts refuses requests that were meant for another host: a web page may
// point its own name at this machine (DNS rebinding).
func refuseOtherHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		host := req.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !loopback.IsHost(host) {
			http.Error(w, "this registry accepts requests for this machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, req)
	})
}

func baseContext(ctx context.Context) func(net.Listener) context.Context {
	return func(net.Listener) context.Context { return ctx }
}

// serveInProcess serves an in-memory listener and returns the way to it.
func (r *Registry) serveInProcess(ctx context.Context) http.RoundTripper {
	l := newMemoryListener()
	srv := &http.Server{
		Handler:           r.handler,
		ErrorLog:          log.New(io.Discard, "", 0),
		BaseContext:       baseContext(ctx),
		ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = srv.Serve(l) }() // ends with Close, which reports
	r.closers = append(r.closers, srv.Close)
	return inProcess{&http.Transport{
		DialContext:        l.dial,
		DisableCompression: true,
		WriteBufferSize:    256 << 10,
		ReadBufferSize:     256 << 10,
		IdleConnTimeout:    10 * time.Second,
	}}
}

// inProcess speaks HTTP where clients expect HTTPS: nothing leaves the process.
type inProcess struct{ next http.RoundTripper }

func (p inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	plain := req.Clone(req.Context())
	plain.URL.Scheme = "http"
	resp, err := p.next.RoundTrip(plain)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

var uploadPath = regexp.MustCompile(`^/v2/(.+)/blobs/uploads/([0-9a-f-]{36})$`)

// serve handles a request, and removes an upload that failed: clients start anew, and
// its bytes would fill the disk.
func (r *Registry) serve(app http.Handler, w http.ResponseWriter, req *http.Request) {
	r.inFlight.RLock()
	defer r.inFlight.RUnlock()
	recorder := &statusRecorder{ResponseWriter: w}
	if upload := uploadPath.FindStringSubmatch(req.URL.Path); upload != nil && isLocal(upload[1]) {
		defer func() {
			if recorder.status >= 400 {
				_ = os.RemoveAll(filepath.Join(r.uploadsDir(upload[1]), upload[2]))
			}
		}()
	}
	app.ServeHTTP(recorder, req)
}

// isLocal reports whether the name is one of this registry's, and safe in a path.
func isLocal(name string) bool {
	n, err := repository.Parse(name)
	return err == nil && n.Host == ""
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(code int) { s.status = code; s.ResponseWriter.WriteHeader(code) }

// Unwrap exposes the server's optional abilities (flushing).
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// memoryListener is a listener whose connections stay within the process.
type memoryListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (m *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (m *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memoryListener) Close() error { m.once.Do(func() { close(m.done) }); return nil }

func (m *memoryListener) Addr() net.Addr { return memoryAddr{} }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return Host }
