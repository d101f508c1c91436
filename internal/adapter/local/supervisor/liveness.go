//go:build linux

package supervisor

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// How a replica that was ready is probed. It counts as responding whatever the status
// is: only the service can tell what an error means.
const (
	// retryInterval is the time between two probes of one that did not respond.
	retryInterval = time.Second
	// minMissed is how many probes in a row it has to miss until anything is done.
	minMissed = 2
	// busyFactor is how much longer one may be silent that computes: a service that
	// handles one request at a time does not respond meanwhile.
	busyFactor = 10
	// busyShare is the share of a core from which a replica counts as computing.
	busyShare = 0.1
)

// liveness is how long a replica has not responded.
type liveness struct {
	interval time.Duration // between probes while it responds
	limit    time.Duration // of silence without computing

	last    time.Time // probe
	cpu     time.Duration
	missed  int
	silence time.Duration
	idle    time.Duration // the part of silence in which it did not compute
	stopped bool
}

// note takes the result of a probe. A longer gap between two probes than there should
// be does not count: this process, or the machine, was suspended.
func (l *liveness) note(now time.Time, responded bool, a container.Activity) {
	elapsed := min(now.Sub(l.last), l.interval+probeTimeout)
	used := a.CPU - l.cpu
	first := l.missed == 0
	l.last, l.cpu, l.stopped = now, a.CPU, a.Stopped
	if responded {
		l.missed, l.silence, l.idle = 0, 0, 0
		return
	}
	l.missed++
	if first { // since when it is silent is not known
		return
	}
	l.silence += elapsed
	if used.Seconds() < busyShare*elapsed.Seconds() {
		l.idle += elapsed
	}
}

// unresponsive reports whether requests should go elsewhere.
func (l *liveness) unresponsive() bool { return l.missed >= minMissed }

// hung returns an error if the replica does not come back by itself.
func (l *liveness) hung(path string) error {
	switch {
	case !l.unresponsive():
		return nil
	case l.stopped:
		return &hungError{fmt.Sprintf("no response to %s: a signal has stopped the process", path)}
	case l.idle >= l.limit || l.silence >= busyFactor*l.limit:
		return &hungError{fmt.Sprintf("no response to %s for %s", path, l.silence.Round(time.Second))}
	}
	return nil
}

// hungError means that a replica ran, but did not respond any more.
type hungError struct{ text string }

func (e *hungError) Error() string { return e.text }

// watch probes a replica that is ready until ctx ends, and returns an error if it
// hangs. Meanwhile requests go to the other replicas, if there are any.
func (r *replica) watch(ctx context.Context, e endpoint) error {
	client := e.client(e.port)
	l := liveness{interval: r.cfg.ProbeInterval, limit: r.cfg.HungTimeout, last: r.cfg.Now(), cpu: e.container.Activity().CPU}
	avoided, cause := false, r.cause()
	for pause := l.interval; wait.Sleep(ctx, pause) == nil; {
		status, _ := requestStatus(ctx, client, e.url(e.port))
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it need not be watched any more
		}
		if status == 0 {
			if by := e.confirmStranger(ctx); by != "" {
				r.pool.Remove(e.address)
				return &portTakenError{e.port, by}
			}
		}
		l.note(r.cfg.Now(), status != 0, e.container.Activity())
		if pause = l.interval; l.missed > 0 {
			pause = min(pause, retryInterval)
		}
		switch {
		case l.unresponsive():
			r.setState(port.ReplicaUnresponsive, "no response to "+e.readyPath+" at the moment")
			if err := l.hung(e.readyPath); err != nil {
				r.pool.Remove(e.address)
				if l.stopped {
					finishRequests(ctx, e.container)
				}
				return err
			}
			avoided = avoided || r.avoid(e)
		case l.missed == 0 && r.state() == port.ReplicaUnresponsive:
			if avoided {
				avoided = false
				r.addToPool(e)
			}
			r.recover(cause)
		}
	}
	return nil
}

// finishTimeout is how long a process that was stopped has for the requests that it got
// before.
const finishTimeout = time.Second

// finishRequests continues a process that was stopped by a signal.
func finishRequests(ctx context.Context, c *container.Container) {
	c.Signal(syscall.SIGCONT)
	_ = wait.Sleep(ctx, finishTimeout) // it has exited
}
