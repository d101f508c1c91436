package proxy

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Server serves a handler on a loopback port.
type Server struct {
	http *http.Server
	port int
	done chan struct{}
}

// Listen starts a server for the handler on a loopback port (0: any).
func Listen(handler http.Handler, port int, logger *log.Logger) (*Server, error) {
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	s := &Server{port: listener.Addr().(*net.TCPAddr).Port, done: make(chan struct{})}
	s.http = &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 3 * time.Minute, ErrorLog: logger}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) && logger != nil {
			logger.Printf("port %d: %v", s.port, err)
		}
	}()
	return s, nil
}

// Port returns the port.
func (s *Server) Port() int { return s.port }

// URL returns the address.
func (s *Server) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.port) }

// Close accepts no more connections, waits for in-flight requests while ctx
// lasts, and cuts off the rest.
func (s *Server) Close(ctx context.Context) {
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // its error repeats that of Shutdown
	}
	<-s.done
}
