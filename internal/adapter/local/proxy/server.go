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
	"time"
)

// Listen starts a server for the proxy on a loopback port (0: any).
func Listen(p *Proxy, port int, logger *log.Logger) (*Server, error) {
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	s := &Server{
		proxy: p, listener: listener, port: listener.Addr().(*net.TCPAddr).Port, log: logger,
		sessions: map[*session]bool{}, stop: make(chan struct{}),
		scratch: sync.Pool{New: func() any { return &scratch{} }},
	}
	s.general = newGeneralServer(p, logger)
	handed := &handedListener{address: listener.Addr(), conns: make(chan net.Conn), closed: make(chan struct{}), remove: s.remove}
	s.handOver = handed.take
	s.ended.Go(func() { _ = s.general.Serve(handed) }) // it ends when it is shut down
	s.ended.Go(s.accept)
	go s.sweep()
	return s, nil
}

// newGeneralServer returns the server of the general path.
func newGeneralServer(p *Proxy, logger *log.Logger) *http.Server {
	s := &http.Server{
		Handler: p, ReadHeaderTimeout: p.cfg.HeaderTimeout, IdleTimeout: p.cfg.IdleTimeout, ErrorLog: logger,
		MaxHeaderBytes: maxHeaderBytes, ConnContext: withSession, Protocols: &http.Protocols{},
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: maxStreamBuffer, MaxReceiveBufferPerConnection: maxStreamsBuffer,
			WriteByteTimeout: p.cfg.StallTimeout, SendPingTimeout: p.cfg.IdleTimeout,
		},
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
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
			if x.serve() {
				s.remove(x)
				conn.Close()
			}
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
