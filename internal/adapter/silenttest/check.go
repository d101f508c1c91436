package silenttest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// Calls are functions of an adapter, each called with arguments that make it ask its
// server. The names are those of the code, such as "Target.Stage": internal/arch
// compares them with what the adapter exports.
type Calls map[string]func(ctx context.Context) error

const (
	timeout = 200 * time.Millisecond // of a context
	bound   = 5 * time.Second        // for what has to return when its context ends: never a measure of speed
	begin   = 50 * time.Millisecond  // for calls to reach the server
)

// ErrEnded is why the contexts of the calls end.
var ErrEnded = errors.New("the test has ended it")

// errUnneeded stands for the error of a function that has none to return.
var errUnneeded = errors.New("the function may succeed without its server")

// MaySucceed is the error of a function that need not fail when its server does not
// answer: it describes what it found out, or the server had taken the request.
func MaySucceed(err error) error {
	if err == nil {
		return errUnneeded
	}
	return err
}

// TestHTTP checks an adapter that speaks HTTP against every server that fails to answer,
// also one that fails in TLS's handshake. table returns the calls of an adapter whose
// server is at url.
func TestHTTP(t *testing.T, table func(t *testing.T, url string) Calls) {
	for name, serve := range HTTP() {
		t.Run("server "+name, func(t *testing.T) {
			t.Parallel()
			Check(t, table(t, Listen(t, serve).URL("http")))
		})
	}
	for name, serve := range Raw() {
		t.Run("TLS server "+name, func(t *testing.T) {
			t.Parallel()
			Check(t, table(t, Listen(t, serve).URL("https")))
		})
	}
}

// Check holds calls of one adapter to the rule. All are called at once, and stay without
// an answer until they have all been called a second time: those must return soon after
// their own contexts end, whatever the first ones wait for. Then the first ones must.
// Every error names what was being done: it is not the context's alone.
func Check(t *testing.T, calls Calls) {
	t.Helper()
	holding, release := context.WithCancelCause(context.Background())
	defer release(ErrEnded)
	first := newRound(calls, func() (context.Context, context.CancelFunc) { return holding, func() {} })
	time.Sleep(begin)
	second := newRound(calls, func() (context.Context, context.CancelFunc) {
		return context.WithTimeoutCause(context.Background(), timeout, ErrEnded)
	})
	second.await(t, timeout+bound, "its context, while others wait for the server")
	release(ErrEnded)
	first.await(t, bound, "its context")
}

// round is one call of every function.
type round struct {
	mu      sync.Mutex
	pending map[string]bool
	errs    map[string]error
	ended   chan struct{}
}

func newRound(calls Calls, newContext func() (context.Context, context.CancelFunc)) *round {
	r := &round{pending: map[string]bool{}, errs: map[string]error{}, ended: make(chan struct{})}
	var group sync.WaitGroup
	for name := range calls {
		r.pending[name] = true
	}
	for name, call := range calls {
		group.Go(func() {
			ctx, cancel := newContext()
			defer cancel()
			err := call(ctx)
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.pending, name)
			r.errs[name] = err
		})
	}
	go func() { group.Wait(); close(r.ended) }()
	return r
}

// await reports the calls that do not return in time, and errors that say too little.
func (r *round) await(t *testing.T, within time.Duration, what string) {
	t.Helper()
	select {
	case <-r.ended:
	case <-time.After(within):
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.pending {
		t.Errorf("%s has not returned %s after the end of %s", name, bound, what)
	}
	for name, err := range r.errs {
		switch {
		case err == nil:
			t.Errorf("%s succeeded, want an error", name)
		case errors.Is(err, errUnneeded):
		case isBare(err):
			t.Errorf("%s: error %q does not name what was being done", name, err)
		}
	}
}

// isBare reports whether an error is a context's, and nothing else.
func isBare(err error) bool {
	for _, bare := range []error{ErrEnded, context.Canceled, context.DeadlineExceeded} {
		if err.Error() == bare.Error() {
			return true
		}
	}
	return false
}
