//go:build linux

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
)

// Config configures a supervisor. Only Dir and Runtime are required.
type Config struct {
	Dir          string            // state folder, absolute
	Runtime      container.Runtime //
	StartTimeout time.Duration     // until a release must be ready; default 2 min
	DrainTimeout time.Duration     // for in-flight requests, unless the workload sets it; default 10 s
	GracePeriod  time.Duration     // between SIGTERM and SIGKILL; default 10 s
	MinBackoff   time.Duration     // before the first restart; default 100 ms, doubled each time
	MaxBackoff   time.Duration     // default 30 s
	StableAfter  time.Duration     // run time after which the backoff starts over; default 30 s
	IdleTimeout  time.Duration     // exits after having had no release for this time; default 3 s
	MaxLogSize   int64             // size of a replica's log at which it is rotated; default 4 MiB
	Log          *log.Logger       // default: discarded
	Now          func() time.Time

	ports *ports
}

func (c *Config) setDefaults() {
	for d, value := range map[*time.Duration]time.Duration{
		&c.StartTimeout: 2 * time.Minute, &c.DrainTimeout: 10 * time.Second, &c.GracePeriod: 10 * time.Second,
		&c.MinBackoff: 100 * time.Millisecond, &c.MaxBackoff: 30 * time.Second, &c.StableAfter: 30 * time.Second, &c.IdleTimeout: 3 * time.Second,
	} {
		if *d == 0 {
			*d = value
		}
	}
	if c.MaxLogSize == 0 {
		c.MaxLogSize = 4 << 20
	}
	if c.Log == nil {
		c.Log = log.New(io.Discard, "", 0)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.ports = &ports{}
}

// Supervisor runs the environments of one state folder.
type Supervisor struct {
	cfg    *Config
	store  *store
	cancel context.CancelCauseFunc

	mu          sync.Mutex
	envs        map[string]*environment
	activeCalls int // calls
	closing     bool
	idle        *time.Timer
}

// Run runs until ctx ends, it is stopped, or it has been idle for IdleTimeout.
// Then it stops the replicas gracefully and keeps the saved state. It calls ready
// once it accepts calls. ErrBusy means that another supervisor is running in the
// folder.
func Run(ctx context.Context, cfg Config, ready func()) error {
	cfg.setDefaults()
	for _, dir := range []string{cfg.Dir, filepath.Join(cfg.Dir, "run")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("create the folder of the local target: %w", err)
		}
	}
	if err := os.Chmod(filepath.Join(cfg.Dir, "run"), 0o700); err != nil {
		return fmt.Errorf("restrict access to the socket folder: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := killOrphans(ctx, cfg.Dir); err != nil {
		return err
	}
	state, err := ReadState(cfg.Dir)
	if err != nil {
		return err
	}
	listener, err := listenUnix(cfg.Dir)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	s := &Supervisor{cfg: &cfg, store: &store{dir: cfg.Dir, state: state}, cancel: end, envs: map[string]*environment{}}
	s.restore(ctx)
	s.idle = time.AfterFunc(cfg.IdleTimeout, s.stopIfIdle)
	return s.serve(ctx, listener, ready)
}

func (s *Supervisor) restore(ctx context.Context) {
	for key, saved := range s.store.all() {
		if !saved.ShouldRun() {
			continue
		}
		e := newEnvironment(s.cfg, s.store, key)
		s.envs[key] = e
		e.restore(ctx, saved)
	}
}

func (s *Supervisor) serve(ctx context.Context, listener net.Listener, ready func()) error {
	api := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: s.cfg.Log}
	failed := make(chan error, 1)
	go func() { failed <- api.Serve(listener) }()
	s.cfg.Log.Printf("supervisor %d started in %s (runtime %s)", os.Getpid(), s.cfg.Dir, s.cfg.Runtime.Name())
	ready()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.mu.Lock()
	s.closing = true
	s.idle.Stop()
	envs := s.envs
	s.mu.Unlock()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = api.Shutdown(last) // remaining calls are cut off when the process exits
	var all sync.WaitGroup
	for _, e := range envs {
		all.Go(func() {
			_ = e.lock(last) // the holder of the lock is being canceled
			e.shutdown()
		})
	}
	all.Wait()
	s.cfg.Log.Printf("supervisor %d exits: %v", os.Getpid(), context.Cause(ctx))
	return err
}

var (
	errIdle    = errors.New("idle: no release is deployed")
	errStopped = errors.New("stop requested")
)

// stopIfIdle stops the supervisor if it is idle.
func (s *Supervisor) stopIfIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.activeCalls == 0 && !s.hasWork() {
		s.closing = true
		s.cancel(errIdle)
	}
}

// hasWork reports whether any release should run. The caller holds mu.
func (s *Supervisor) hasWork() bool {
	for _, e := range s.store.all() {
		if e.ShouldRun() {
			return true
		}
	}
	return false
}

// environment returns the environment and creates it if necessary.
func (s *Supervisor) environment(key string) *environment {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.envs[key]
	if e == nil {
		e = newEnvironment(s.cfg, s.store, key)
		s.envs[key] = e
	}
	return e
}
