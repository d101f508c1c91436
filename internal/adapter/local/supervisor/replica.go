//go:build linux

package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/redact"
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
	}
	exit, err := r.supervise(e)
	<-logged
	return r.explain(exit, err)
}

// explain returns the cause of the end of a container, and remembers what to do
// about it. The error is that of the machine, if the release is not to blame.
func (r *replica) explain(exit container.Exit, problem error) (cause string, err error) {
	hint, stopped := readOnlyHint(r.log.tail()), false
	wrong, hung := (*wrongPortError)(nil), (*hungError)(nil)
	switch {
	case errors.As(problem, &wrong):
		cause, hint, stopped = wrong.Error(), wrong.Hint(), true
	case errors.As(problem, &hung):
		cause, stopped = hung.Error()+formatTail(r.log.tail()), true
	case problem != nil:
		cause, err = problem.Error(), problem
	case hint != "":
		cause = exit.String() + " after a write to its read-only root file system" + formatTail(r.log.tail())
	default:
		cause = exit.String() + formatTail(r.log.tail())
	}
	r.mu.Lock()
	r.hint, r.stopped = hint, stopped
	r.mu.Unlock()
	return cause, err
}

// startTrouble returns the error of a start if the machine is to blame: it has run
// out of disk space, memory, processes or open files.
func startTrouble(err error) error {
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.Unavailable) { // no namespaces are permitted, or the files are gone
		return err
	}
	if fault.FileKind(err) != fault.Exhausted {
		return nil
	}
	return fault.New(fault.Exhausted, "start a container").Cause(err)
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

func (r *replica) addToPool(e endpoint) {
	if !e.fixed {
		r.pool.Add(e.address)
		return
	}
	r.pool.AddDialer(e.address, func(ctx context.Context) (net.Conn, error) { return e.dial(ctx, e.port) })
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

// startError is the error of a release with a replica that failed.
func (r *replica) startError(o ReleaseRequest, status port.Replica) error {
	r.mu.Lock()
	hint, stopped, trouble := r.hint, r.stopped, r.trouble
	r.mu.Unlock()
	f := r.failure("start %s: %s exited: %s", o, status.Name, status.Cause)
	if stopped {
		f = r.failure("start %s: %s: %s", o, status.Name, status.Cause)
	}
	if lost := r.cfg.folder.checkContent(r.spec.Rootfs, r.spec.Model); lost != nil {
		return r.failure("start %s: %v", o, lost).Hint("%s", fault.HintOf(lost))
	}
	if fault.IsInfrastructure(f) {
		return r.failure("start %s: this machine could not run %s: %s", o, status.Name, status.Cause).
			Hint("%s", cmp.Or(fault.HintOf(trouble), "the release was not tried, and the previous one is unaffected: fix the machine, and run again"))
	}
	return f.Hint("%s", cmp.Or(hint, startHint(status.Cause)))
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

// currentEndpoint returns the endpoint of the running container, or nil.
func (r *replica) currentEndpoint() *endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.endpoint
}

// startHint is what to do about a release that can't start.
func startHint(cause string) string {
	if strings.HasPrefix(cause, "out of memory") {
		return "raise deploy.memory, or let the service use less; the previous release is unaffected"
	}
	return "fix what made it exit; the previous release is unaffected"
}

// failure returns the failure of this replica as one of the release, or of the
// machine.
func (r *replica) failure(format string, args ...any) *fault.Error {
	r.mu.Lock()
	trouble := r.trouble
	r.mu.Unlock()
	if trouble == nil {
		trouble = r.cfg.folder.checkContent(r.spec.Rootfs, r.spec.Model)
	}
	if trouble == nil {
		return fault.New(fault.Failed, format, args...)
	}
	return fault.New(fault.KindOf(trouble), format, args...).Infrastructure()
}

// formatTail formats the end of a log for an error.
func formatTail(lines []string) string {
	if len(lines) == 0 {
		return "; it printed nothing"
	}
	return delivery.LogHeading + "\n  " + strings.Join(lines, "\n  ")
}

func replicaLog(cfg *Config, o ReleaseRequest, name string) *logFile {
	return &logFile{
		path: filepath.Join(logDir(cfg.Dir, o.Service, o.Environment), name+".log"), max: cfg.MaxLogSize, now: cfg.Now,
		redactor: redact.New(slices.Collect(maps.Values(o.Secrets))...),
	}
}
