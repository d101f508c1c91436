package proxy

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves a proxy on a loopback port.
type Server struct {
	proxy    *Proxy
	listener net.Listener
	port     int
	general  *http.Server
	handed   *handedListener // to general
	log      *log.Logger     // nil: discarded

	closing atomic.Bool
	ended   sync.WaitGroup // sessions, and what makes them
	stop    chan struct{}  // the sweeper

	scratch sync.Pool // of *scratch

	mu       sync.Mutex
	sessions map[*session]bool
}

// Listen starts a server for the proxy on a loopback port (0: any).
func Listen(p *Proxy, port int, logger *log.Logger) (*Server, error) {
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	s := &Server{
		proxy: p, listener: listener, port: listener.Addr().(*net.TCPAddr).Port, log: logger,
		handed:   &handedListener{address: listener.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})},
		sessions: map[*session]bool{}, stop: make(chan struct{}),
		scratch: sync.Pool{New: func() any { return &scratch{} }},
	}
	s.general = &http.Server{Handler: p, ReadHeaderTimeout: p.cfg.HeaderTimeout, IdleTimeout: p.cfg.IdleTimeout, ErrorLog: logger, Protocols: &http.Protocols{}}
	s.general.Protocols.SetHTTP1(true)
	s.general.Protocols.SetUnencryptedHTTP2(true)
	s.ended.Go(func() { _ = s.general.Serve(s.handed) }) // it ends when it is shut down
	s.ended.Go(s.accept)
	go s.sweep()
	return s, nil
}

// Port returns the port.
func (s *Server) Port() int { return s.port }

// URL returns the address.
func (s *Server) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.port) }

// Close accepts no more connections, waits for in-flight requests while ctx
// lasts, and cuts off the rest.
func (s *Server) Close(ctx context.Context) {
	s.closing.Store(true)
	_ = s.listener.Close() // nothing is lost with it
	s.eachSession(func(x *session) {
		if x.phase() == idle {
			_ = x.conn.SetReadDeadline(time.Unix(1, 0)) // one that is closed needs none
		}
	})
	if err := s.general.Shutdown(ctx); err != nil {
		_ = s.general.Close() // its error repeats that of Shutdown
	}
	ended := make(chan struct{})
	go func() { defer close(ended); s.ended.Wait() }()
	select {
	case <-ended:
	case <-ctx.Done():
		s.eachSession(func(x *session) {
			if x.phase() != general { // an upgraded one ends with its replica
				x.abort()
			}
		})
		<-ended
	}
	close(s.stop)
}

func (s *Server) accept() {
	var pause time.Duration
	for {
		conn, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // too many open files, for example
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			if s.log != nil {
				s.log.Printf("port %d: %v; trying again in %s", s.port, err, pause)
			}
			time.Sleep(pause)
			continue
		}
		pause = 0
		x := newSession(s, conn)
		if !s.add(x) {
			conn.Close()
			continue
		}
		go func() { // ended counts it
			defer s.ended.Done()
			x.serve()
		}()
	}
}

// add makes room for the session if there are too many.
func (s *Server) add(x *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	if len(s.sessions) >= s.proxy.cfg.MaxConnections && !s.dropOldest() {
		return false
	}
	s.sessions[x] = true
	s.ended.Add(1)
	return true
}

// dropOldest closes the connection that has waited longest for a request, or for the
// rest of its header. The caller holds mu.
func (s *Server) dropOldest() bool {
	var oldest *session
	for x := range s.sessions {
		if p := x.phase(); (p == idle || p == header) && (oldest == nil || x.since.Before(oldest.since)) {
			oldest = x
		}
	}
	if oldest != nil {
		oldest.conn.Close()
		delete(s.sessions, oldest)
	}
	return oldest != nil
}

func (s *Server) remove(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, x)
}

func (s *Server) eachSession(do func(*session)) {
	s.mu.Lock()
	var all []*session
	for x := range s.sessions {
		all = append(all, x)
	}
	s.mu.Unlock()
	for _, x := range all {
		do(x)
	}
}

// handedListener accepts the connections that were handed over.
type handedListener struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (l *handedListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *handedListener) Addr() net.Addr { return l.address }

func (l *handedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// handOver gives a connection to the general path, for good.
func (l *handedListener) handOver(c net.Conn) bool {
	select {
	case l.conns <- c:
		return true
	case <-l.closed:
		return false
	}
}

// handedConn is a connection of which some bytes were read before.
type handedConn struct {
	net.Conn
	session *session
	read    []byte
	once    sync.Once
}

func (c *handedConn) Read(b []byte) (int, error) {
	if len(c.read) > 0 {
		n := copy(b, c.read)
		c.read = c.read[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// Write is watched: a client that takes nothing must not hold a replica.
func (c *handedConn) Write(b []byte) (int, error) {
	c.session.enter(writing)
	defer c.session.enter(general)
	return c.Conn.Write(b)
}

func (c *handedConn) Close() error {
	c.once.Do(func() { c.session.server.remove(c.session) })
	return c.Conn.Close()
}
