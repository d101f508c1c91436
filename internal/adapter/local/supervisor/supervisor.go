//go:build linux

package supervisor

import (
	"context"
	"errors"
	"sync"
	"time"
)

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
