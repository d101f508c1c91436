//go:build linux

package supervisor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// replica keeps one copy of a release running until it is stopped.
type replica struct {
	cfg       *Config
	name      string
	spec      container.Spec // without PORT
	readyPath string         // path
	pool      *proxy.Pool
	log       *logFile
	notify    func() // called after every change

	stopRequested chan struct{} // closed to stop it
	done          chan struct{} // closed when it has stopped
	once          sync.Once

	mu        sync.Mutex
	status    port.Replica
	failures  int // exits and failed starts
	notes     []string
	container *container.Container
}

// run starts the container, again and again, until the replica is stopped.
func (r *replica) run() {
	defer close(r.done)
	defer r.log.finish()
	delay := time.Duration(0)
	for {
		start := r.cfg.Now()
		r.setState(port.ReplicaStarting, "")
		cause := r.runOnce()
		if r.isStopping() {
			r.setState(port.ReplicaExited, cause)
			return
		}
		delay = r.cfg.nextBackoff(delay, r.cfg.Now().Sub(start))
		r.setFailed(cause)
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

// runOnce starts the container, waits until it exits, and returns the reason.
func (r *replica) runOnce() string {
	port, err := r.cfg.ports.acquire()
	if err != nil {
		return err.Error()
	}
	defer r.cfg.ports.release(port)
	out, in, err := os.Pipe()
	if err != nil {
		return err.Error()
	}
	r.log.reset()
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		defer out.Close()
		r.log.copy(out)
	}()
	spec := r.spec
	spec.Name = fmt.Sprintf("%s-%d", r.name, port)
	spec.Env = append(spec.Env[:len(spec.Env):len(spec.Env)], fmt.Sprintf("PORT=%d", port))
	trace := spec.Name + ".json"
	defer removeProcessRecord(r.cfg.Dir, trace)
	b, err := r.cfg.Runtime.Start(spec, in, func(born container.Started) { writeProcessRecord(r.cfg.Dir, trace, born) })
	in.Close()
	if err != nil {
		<-logged
		return err.Error() + formatTail(r.log.tail())
	}
	exit := r.supervise(b, fmt.Sprintf("127.0.0.1:%d", port))
	<-logged
	return exit.String() + formatTail(r.log.tail())
}

// supervise waits for a running container. It adds it to the pool once it is
// ready, removes it when it exits, and terminates it when the replica is stopped.
func (r *replica) supervise(b *container.Container, address string) container.Exit {
	r.mu.Lock()
	r.container, r.notes = b, b.Notes
	r.mu.Unlock()
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	watchers.Go(func() {
		if r.probe(ctx, "http://"+address+r.readyPath) {
			r.pool.Add(address)
			r.setState(port.ReplicaReady, "")
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
	r.pool.Remove(address)
	return exit
}

// terminate sends SIGTERM, and SIGKILL after the grace period.
func (r *replica) terminate(b *container.Container, ended <-chan struct{}) {
	b.Signal(syscall.SIGTERM)
	timer := time.NewTimer(r.cfg.GracePeriod)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		b.Signal(syscall.SIGKILL)
	}
}

// probe repeats the request until the response is 200 or ctx ends.
func (r *replica) probe(ctx context.Context, url string) bool {
	client := http.Client{
		Timeout:       2 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		if respondsOK(ctx, &client, url) {
			return true
		}
		if wait.Sleep(ctx, pause) != nil {
			return false
		}
	}
}

func respondsOK(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // only the status matters
	return resp.StatusCode == http.StatusOK
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

func (r *replica) setFailed(cause string) {
	r.cfg.Log.Printf("replica %s: %s", r.name, cause)
	r.mu.Lock()
	r.status.State, r.status.Cause = port.ReplicaBackoff, cause
	r.failures++
	r.mu.Unlock()
	r.notify()
}

func (r *replica) countRestart() {
	r.mu.Lock()
	r.status.Restarts++
	r.mu.Unlock()
}

// observe returns the state of the replica.
func (r *replica) observe() (status port.Replica, failures int, notes []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, r.failures, r.notes
}

// formatTail formats the end of a log for an error.
func formatTail(lines []string) string {
	if len(lines) == 0 {
		return "; it printed nothing"
	}
	return "; its last lines:\n  " + strings.Join(lines, "\n  ")
}

func replicaLog(cfg *Config, o ReleaseRequest, name string) *logFile {
	return &logFile{path: filepath.Join(logDir(cfg.Dir, o.Service, o.Environment), name+".log"), max: cfg.MaxLogSize, now: cfg.Now}
}
