//go:build linux

package supervisor

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/port"
)

// replica keeps one copy of a release running until it is stopped.
type replica struct {
	cfg       *Config
	name      string
	spec      container.Spec // without PORT
	readyPath string         // path
	pool      *proxy.Pool
	log       *logFile
	notify    func()              // called after every change
	avoid     func(endpoint) bool // makes requests go to others, if there are any

	stopRequested chan struct{} // closed to stop it
	done          chan struct{} // closed when it has stopped
	once          sync.Once

	mu       sync.Mutex
	status   port.Replica
	failures int       // exits and failed starts
	endedAt  time.Time // the last of them
	trouble  error     // why this machine could not run it the last time; nil: it did
	hint     string    // what to do about the last failure; empty: not known
	stopped  bool      // the last failure was found while it was running
	endpoint *endpoint // of the running container; nil: none
	notes    []string
}

func (r *replica) addToPool(e endpoint) {
	r.pool.AddDialer(e.address, func(ctx context.Context) (net.Conn, error) { return e.dial(ctx, e.port) })
}

// requestStop stops the replica; done is closed when it has stopped.
func (r *replica) requestStop() { r.once.Do(func() { close(r.stopRequested) }) }

func (r *replica) isStopping() bool {
	select {
	case <-r.stopRequested:
		return true
	default:
		return false
	}
}

func (r *replica) setState(state port.ReplicaState, cause string) {
	r.mu.Lock()
	r.status.State = state
	if cause != "" {
		r.status.Cause = cause
	}
	r.mu.Unlock()
	r.notify()
}

func (r *replica) setFailed(cause string, trouble error) {
	r.cfg.Log.Printf("replica %s: %s", r.name, cause)
	r.mu.Lock()
	r.status.State, r.status.Cause, r.endedAt = port.ReplicaBackoff, cause, r.cfg.Now()
	r.failures++
	r.trouble = trouble
	r.mu.Unlock()
	r.notify()
}

func (r *replica) countRestart() {
	r.mu.Lock()
	r.status.Restarts++
	r.status.LastEnd = &port.ReplicaEnd{Cause: r.status.Cause, At: r.endedAt, Infrastructure: r.trouble != nil}
	r.mu.Unlock()
}

// observe returns the state of the replica.
func (r *replica) observe() (status port.Replica, failures int, notes []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, r.failures, r.notes
}

// currentEndpoint returns the endpoint of the running container, or nil.
func (r *replica) currentEndpoint() *endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.endpoint
}

// recover marks the replica as ready again; its last end is what it was.
func (r *replica) recover(cause string) {
	r.mu.Lock()
	r.status.State, r.status.Cause = port.ReplicaReady, cause
	r.mu.Unlock()
	r.notify()
}

func (r *replica) state() port.ReplicaState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status.State
}

func (r *replica) cause() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status.Cause
}
