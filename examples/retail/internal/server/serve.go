package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Drain configures the shutdown.
type Drain struct {
	// Delay is how long requests are still taken after /ready turned 503, so that
	// load balancers notice before connections are refused.
	Delay time.Duration
	// Limit is how long requests in flight may take after that; 0 means 20 seconds.
	Limit time.Duration
}

// Serve answers requests on l until ctx is done, then drains and returns nil when
// every request in flight has been answered. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener, d Drain) error {
	if d.Limit == 0 {
		d.Limit = 20 * time.Second
	}
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(l) }()
	s.log.Info("serving", "address", l.Addr().String(), "release", s.release,
		"model_version", s.modelVersion, "model_digest", s.model.Digest())
	select {
	case err := <-stopped:
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.log.Info("draining", "delay", d.Delay.String(), "limit", d.Limit.String())
	time.Sleep(d.Delay)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Limit)
	defer cancel()
	if err := server.Shutdown(limit); err != nil {
		return fmt.Errorf("requests still in flight after %s: %w", d.Limit, err)
	}
	s.log.Info("stopped")
	return nil
}
