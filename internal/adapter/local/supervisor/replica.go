//go:build linux

package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/redact"
)

// run starts the container, again and again, until the replica is stopped.
func (r *replica) run() {
	defer close(r.done)
	defer r.log.finish()
	delay := time.Duration(0)
	for {
		start := r.cfg.Now()
		r.setState(port.ReplicaStarting, "")
		cause, err := r.runOnAnyPort()
		if r.isStopping() {
			r.setState(port.ReplicaExited, cause)
			return
		}
		delay = r.cfg.nextBackoff(delay, r.cfg.Now().Sub(start))
		r.setFailed(cause, err)
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-r.stopRequested:
			timer.Stop()
			r.setState(port.ReplicaExited, cause)
			return
		}
		r.countRestart()
	}
}

// nextBackoff returns the delay before the next start, given the previous delay
// and how long the replica ran.
func (c *Config) nextBackoff(last, ran time.Duration) time.Duration {
	if last == 0 || ran >= c.StableAfter {
		return c.MinBackoff
	}
	return min(2*last, c.MaxBackoff)
}

// runOnAnyPort is runOnce with another port if one was taken meanwhile, which
// does not count as a failure.
func (r *replica) runOnAnyPort() (cause string, err error) {
	for range maxPortTries {
		cause, err = r.runOnce()
		taken := (*portTakenError)(nil)
		if !errors.As(err, &taken) || r.isStopping() {
			return cause, err
		}
		r.cfg.Log.Printf("replica %s: %v; it gets another port", r.name, err)
	}
	return cause, fault.New(fault.Conflict, "find a port that stays free").Cause(err)
}

// runOnce starts the container, waits until it exits, and returns the reason. The
// error is that of the machine, if the release is not to blame.
func (r *replica) runOnce() (cause string, err error) {
	at, err := r.cfg.ports.acquire()
	if err != nil {
		return err.Error(), err
	}
	defer r.cfg.ports.release(at)
	out, in, err := os.Pipe()
	if err != nil {
		return err.Error(), fault.New(fault.FileKind(err), "create a pipe").Cause(err)
	}
	r.log.reset()
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		defer out.Close()
		r.log.copy(out)
	}()
	spec := r.spec
	spec.Name = fmt.Sprintf("%s-%d", r.name, at) // unique on this machine, whether it listens there or not
	spec.Env = append(spec.Env[:len(spec.Env):len(spec.Env)], fmt.Sprintf("PORT=%d", cmp.Or(spec.Port, at)))
	trace := spec.Name + ".json"
	defer removeProcessRecord(r.cfg.Dir, trace)
	b, err := r.cfg.Runtime.Start(spec, in, func(born container.Started) { writeProcessRecord(r.cfg.Dir, trace, born) })
	in.Close()
	if err != nil {
		<-logged
		return err.Error() + formatTail(r.log.tail()), cmp.Or(r.cfg.folder.check(), startTrouble(err))
	}
	e := endpoint{container: b, port: at, address: fmt.Sprintf("127.0.0.1:%d", at), readyPath: r.readyPath}
	if spec.Port != 0 {
		e.port, e.fixed, e.address = spec.Port, true, fmt.Sprintf("%s:%d", spec.Name, spec.Port)
	} else {
		e.guard = &portGuard{container: b, port: at}
	}
	exit, err := r.supervise(e)
	<-logged
	return r.explain(exit, err)
}

// supervise waits for a running container. It adds it to the pool once it is
// ready, removes it when it exits, and terminates it when the replica is stopped.
// A portTakenError is returned if another process has its port, a wrongPortError if
// the service listens on another one, and a hungError if it stops responding.
func (r *replica) supervise(e endpoint) (container.Exit, error) {
	b := e.container
	r.mu.Lock()
	r.endpoint, r.notes, r.trouble = &e, b.Notes, nil
	r.mu.Unlock()
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	ready, problem := false, error(nil)
	watchers.Go(func() {
		if ready, problem = e.waitReady(ctx); ready {
			r.addToPool(e)
			r.setState(port.ReplicaReady, "")
			problem = r.watch(ctx, e)
		}
		if problem != nil {
			r.terminate(b, ended)
		}
	})
	watchers.Go(func() {
		select {
		case <-r.stopRequested:
			r.terminate(b, ended)
		case <-ended:
		}
	})
	exit := b.Wait()
	close(ended)
	cancel()
	watchers.Wait()
	r.pool.Remove(e.address)
	r.mu.Lock()
	r.endpoint = nil
	r.mu.Unlock()
	if !ready && problem == nil && !e.fixed {
		if by := takenBy(e.port); by != "" {
			problem = &portTakenError{e.port, by}
		}
	}
	return exit, problem
}

// takenBy describes the process that has the port of a container that is gone, or
// returns "". It looks twice: the kernel may be about to close the container's own
// socket.
func takenBy(at int) string {
	if isFree(at) {
		return ""
	}
	time.Sleep(20 * time.Millisecond)
	if isFree(at) {
		return ""
	}
	return cmp.Or(findListener("/proc", at), "another process")
}

// terminate sends SIGTERM, and SIGKILL after the grace period. A process that was
// stopped has to be continued to see the first one.
func (r *replica) terminate(b *container.Container, ended <-chan struct{}) {
	b.Signal(syscall.SIGTERM)
	b.Signal(syscall.SIGCONT)
	timer := time.NewTimer(r.cfg.GracePeriod)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		b.Signal(syscall.SIGKILL)
	}
}

// wrongPort returns a wrongPortError if the replica runs and listens, but not where
// it should; otherwise nil.
func (r *replica) wrongPort() *wrongPortError {
	e := r.currentEndpoint()
	if e == nil {
		return nil
	}
	return e.findWrongPort()
}

func replicaLog(cfg *Config, o ReleaseRequest, name string) *logFile {
	return &logFile{
		path: filepath.Join(logDir(cfg.Dir, o.Service, o.Environment), name+".log"), max: cfg.MaxLogSize, now: cfg.Now,
		redactor: redact.New(slices.Collect(maps.Values(o.Secrets))...),
	}
}
