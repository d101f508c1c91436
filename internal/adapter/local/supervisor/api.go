//go:build linux

package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"sync"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// handler handles one call. Progress is sent immediately.
type handler func(ctx context.Context, body []byte, say func(string)) (any, error)

// routes returns the handler of all calls. The context of a call ends when the
// client disconnects.
func (s *Supervisor) routes() http.Handler {
	mux := http.NewServeMux()
	for path, c := range map[string]handler{
		CallHello:   s.hello,
		CallStop:    s.stop,
		CallUp:      s.up,
		CallStage:   s.stage,
		CallPromote: s.promote,
		CallDiscard: s.discard,
		CallRemove:  s.remove,
		CallObserve: s.observe,
		CallProve:   s.prove,
		CallTraffic: s.traffic,
		CallDrift:   s.drift,
	} {
		mux.Handle("POST "+path, s.handle(path, c))
	}
	return mux
}

// maxCall is how many bytes a call may have: a release with its manifests.
const maxCall = 16 << 20

// handle runs a call and writes its messages. 503 means that this supervisor is
// shutting down and did nothing.
func (s *Supervisor) handle(path string, c handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.beginCall() {
			http.Error(w, "the supervisor is shutting down", http.StatusServiceUnavailable)
			return
		}
		defer s.endCall()
		var body json.RawMessage
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCall)).Decode(&body); err != nil {
			http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
			return
		}
		lines := &messageWriter{to: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
		value, err := s.recoverPanic(path, func() (any, error) {
			return c(r.Context(), body, func(text string) { lines.write(Message{Progress: text}) })
		})
		last := Message{}
		if err == nil {
			last.Value, err = json.Marshal(value)
		}
		if err != nil {
			last = Message{Error: NewRemoteError(err)}
		}
		lines.write(last)
	})
}

// recoverPanic keeps a panic in one call from stopping all services.
func (s *Supervisor) recoverPanic(path string, f func() (any, error)) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Printf("%s: panic: %v\n%s", path, p, debug.Stack())
			err = fault.New(fault.Internal, "%s: %v", path, p).Hint("this is a bug in Slipway; see supervisor.log for details")
		}
	}()
	return f()
}

type messageWriter struct {
	mu    sync.Mutex
	to    *json.Encoder
	flush func() error
}

func (l *messageWriter) write(line Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.to.Encode(line) == nil {
		_ = l.flush() // the client is gone: the context ends
	}
}

func (s *Supervisor) beginCall() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.activeCalls++
	return true
}

func (s *Supervisor) endCall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.activeCalls--
	if s.activeCalls == 0 {
		s.idle.Reset(s.cfg.IdleTimeout)
	}
}

func (s *Supervisor) hello(context.Context, []byte, func(string)) (any, error) {
	return HelloResponse{Protocol: Protocol, PID: os.Getpid(), Runtime: s.cfg.Runtime.Name(), Revision: Revision, Moved: s.cfg.folder.check() != nil}, nil
}

// stop shuts the supervisor down; with OnlyIdle only if no release is deployed
// and no other call is active. It returns whether the supervisor stops.
func (s *Supervisor) stop(_ context.Context, body []byte, _ func(string)) (any, error) {
	var o StopRequest
	if err := decode(body, &o); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.OnlyIdle && (s.activeCalls > 1 || s.hasWork()) {
		return false, nil
	}
	s.closing = true
	s.cancel(errStopped)
	return true, nil
}

// up starts what could not be restored, and waits until all environments are ready.
func (s *Supervisor) up(ctx context.Context, body []byte, say func(string)) (any, error) {
	var o UpRequest
	if err := decode(body, &o); err != nil {
		return nil, err
	}
	s.mu.Lock()
	envs := make(map[string]*environment, len(s.envs))
	for key, e := range s.envs {
		envs[key] = e
	}
	s.mu.Unlock()
	errs := make(map[string]error, len(envs))
	var mu sync.Mutex
	var all sync.WaitGroup
	for key, e := range envs {
		all.Go(func() { // one that can't start must not keep the others down
			_, err := s.recoverPanic(key, func() (any, error) {
				return nil, e.up(ctx, o, func(text string) { say(key + ": " + text) })
			})
			mu.Lock()
			defer mu.Unlock()
			errs[key] = err
		})
	}
	all.Wait()
	return true, joinStartErrors(errs)
}

func (s *Supervisor) stage(ctx context.Context, body []byte, say func(string)) (any, error) {
	o, e, err := s.decodeRequest(body)
	if err != nil {
		return nil, err
	}
	return e.stage(ctx, o, say)
}

func (s *Supervisor) promote(ctx context.Context, body []byte, say func(string)) (any, error) {
	o, e, err := s.decodeRequest(body)
	if err != nil {
		return nil, err
	}
	return e.promote(ctx, o, say)
}

func (s *Supervisor) discard(ctx context.Context, body []byte, _ func(string)) (any, error) {
	o, e, err := s.decodeRequest(body)
	if err != nil {
		return nil, err
	}
	return true, e.discard(ctx, o.Release)
}

func (s *Supervisor) decodeRequest(body []byte) (ReleaseRequest, *environment, error) {
	var o ReleaseRequest
	if err := decode(body, &o); err != nil {
		return o, nil, err
	}
	if err := o.validate(); err != nil {
		return o, nil, err
	}
	return o, s.environment(EnvironmentKey(o.Service, o.Environment)), nil
}

func (s *Supervisor) remove(ctx context.Context, body []byte, _ func(string)) (any, error) {
	e, err := s.lookup(body)
	if err != nil || e == nil {
		return true, err
	}
	return true, e.remove(ctx)
}

func (s *Supervisor) observe(_ context.Context, body []byte, _ func(string)) (any, error) {
	e, err := s.lookup(body)
	if err != nil || e == nil {
		return port.Observation{}, err
	}
	return e.observe(), nil
}

func (s *Supervisor) drift(_ context.Context, body []byte, _ func(string)) (any, error) {
	var o ReleaseRequest
	if err := decode(body, &o); err != nil {
		return nil, err
	}
	found := []port.Drift{}
	e, err := s.lookup(body)
	if err != nil || e == nil {
		return found, err
	}
	return append(found, e.drift(o)...), nil
}

func (s *Supervisor) prove(_ context.Context, body []byte, _ func(string)) (any, error) {
	var q ProofRequest
	if err := decode(body, &q); err != nil {
		return nil, err
	}
	e, err := s.lookup(body)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, fault.New(fault.Failed, "%s is not deployed here", q.Release)
	}
	return e.prove(q)
}

func (s *Supervisor) traffic(_ context.Context, body []byte, _ func(string)) (any, error) {
	var q TrafficRequest
	if err := decode(body, &q); err != nil {
		return nil, err
	}
	e, err := s.lookup(body)
	if err != nil || e == nil {
		return port.Traffic{}, err
	}
	return e.meter.Traffic(q.Release, q.Since, s.cfg.Now()), nil
}

// lookup returns the environment of the request, or nil if it does not exist.
func (s *Supervisor) lookup(body []byte) (*environment, error) {
	var o ReleaseRequest
	if err := decode(body, &o); err != nil {
		return nil, err
	}
	if err := ValidateNames(o.Service, o.Environment); err != nil {
		return nil, err
	}
	key := EnvironmentKey(o.Service, o.Environment)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.envs[key]
	if _, saved := s.store.get(key); e == nil && saved {
		e = newEnvironment(s.cfg, s.store, key)
		s.envs[key] = e
	}
	return e, nil
}

func decode(body []byte, to any) error {
	if err := json.Unmarshal(body, to); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	return nil
}
