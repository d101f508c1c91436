//go:build linux

package supervisor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/probetoken"
)

// Run runs until ctx ends, it is stopped, or it has been idle for IdleTimeout.
// Then it stops the replicas gracefully and keeps the saved state. It calls ready
// once it accepts calls. ErrBusy means that another supervisor is running in the
// folder.
func Run(ctx context.Context, cfg Config, ready func()) error {
	cfg.setDefaults()
	for _, dir := range []string{cfg.Dir, filepath.Join(cfg.Dir, "run")} {
		if err := makePrivate(dir); err != nil {
			return fmt.Errorf("create the folder of the local target: %w", err)
		}
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	cfg.folder = &folder{dir: cfg.Dir, lock: lock}
	if shown, err := os.Open("/proc/self/fd/" + strconv.Itoa(int(lock.Fd()))); err == nil { // opened again, it holds no lock
		_ = cfg.Show(lockFile, shown)
	}
	if cfg.token, err = probetoken.Ensure(cfg.Dir); err != nil {
		return fmt.Errorf("create the token of probes: %w", err)
	}
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
	s := &Supervisor{cfg: &cfg, store: newStore(&cfg, state), cancel: end, envs: map[string]*environment{}}
	s.restore(ctx)
	s.idle = time.AfterFunc(cfg.IdleTimeout, s.stopIfIdle)
	return s.serve(ctx, listener, ready)
}

// makePrivate creates the folder, or closes one of an earlier version, so that only its
// owner enters it. What bwrap needs to pass through stays open for that.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&^0o711 == 0 {
		return err
	}
	return os.Chmod(dir, 0o700)
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
