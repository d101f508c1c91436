package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// maxResends is how often a request that a replica may have read is sent again. A
// request that kills its replica would kill all of them otherwise.
const maxResends = 1

var errNoReplica = errors.New("no replica is ready")

func isNoReplicaError(err error) bool { return errors.Is(err, errNoReplica) }

// route is the way of one request: the release that it holds, the replica of its
// last attempt, and those before.
type route struct {
	proxy   *Proxy
	pool    *Pool // held until release
	backend *backend
	tried   map[*backend]bool
	until   time.Time // it waits for replicas, in all; zero: it has not begun to
	resends int       // after a replica may have read the request
	probe   bool      // a health probe, which is not recorded
}

// pick chooses the replica of the current release with the fewest requests that was
// not tried yet, and waits for one if there is none.
func (r *route) pick(ctx context.Context) error {
	r.giveBack()
	r.attach()
	if r.pool != nil {
		if r.backend = r.pool.leastLoaded(r.tried); r.backend != nil {
			return nil
		}
	}
	if r.until.IsZero() {
		r.until = time.Now().Add(r.proxy.cfg.ReadyTimeout)
	}
	deadline := time.NewTimer(time.Until(r.until))
	defer deadline.Stop()
	for {
		switched := r.proxy.switched()
		r.attach()
		if r.pool == nil {
			return fmt.Errorf("no release is deployed here: %w", errNoReplica)
		}
		changed := r.pool.changes()
		if r.backend = r.pool.leastLoaded(r.tried); r.backend != nil {
			return nil
		}
		again := time.NewTimer(100 * time.Millisecond)
		select {
		case <-switched:
		case <-changed:
		case <-again.C:
			clear(r.tried) // refused connections may work again
		case <-deadline.C:
			again.Stop()
			return errNoReplica
		case <-ctx.Done():
			again.Stop()
			return context.Cause(ctx)
		}
		again.Stop()
	}
}

// attach makes the route hold the current pool instead of its previous one.
func (r *route) attach() {
	if r.pool != nil && r.pool == r.proxy.current.Load() {
		return
	}
	if r.pool != nil {
		r.pool.dropRequest()
	}
	r.pool = r.proxy.retainCurrent()
}

func (r *route) giveBack() {
	if r.backend != nil {
		r.backend.inflight.Add(-1)
		r.backend = nil
	}
}

// skip leaves out the replica of the last attempt in the next one.
func (r *route) skip() {
	if r.tried == nil {
		r.tried = map[*backend]bool{}
	}
	r.tried[r.backend] = true
}

// release ends the request.
func (r *route) release() {
	r.giveBack()
	if r.pool != nil {
		r.pool.dropRequest()
		r.pool = nil
	}
}

func (r *route) recordFailure() {
	if recorder := r.proxy.cfg.Recorder; recorder != nil && !r.probe && r.pool != nil {
		recorder.RecordFailure(r.pool.release, r.proxy.cfg.Now())
	}
}

func (r *route) recordResponse(at time.Time, status int, took time.Duration) {
	if recorder := r.proxy.cfg.Recorder; recorder != nil && !r.probe {
		recorder.RecordResponse(r.pool.release, at, status, took)
	}
}

// failure is an attempt without a response.
type failure struct {
	connected  bool
	sent       bool // a byte of the request at least
	reused     bool // the connection
	responded  bool // a byte of the response at least
	kept       bool // the body, so that it can be sent again
	idempotent bool
}

// mayResend reports whether a request goes to another replica after a failed
// attempt. One that was not sent does. One that a replica may have read is sent
// again as net/http does it: only if it is idempotent, and only after a connection
// that was used before, which the replica may have closed meanwhile. Each of those
// is recorded as a failure of the release, because it may have been one.
func (r *route) mayResend(f failure) bool {
	switch {
	case !f.connected:
		return true
	case f.responded || !f.kept:
		return false
	case !f.sent:
		return true
	case !f.reused || !f.idempotent || r.resends == maxResends:
		return false
	}
	r.resends++
	r.recordFailure()
	return true
}

// idempotent reports whether a request may be executed twice, by the definition of
// net/http. PUT and DELETE are not: a second DELETE has another response.
func idempotent(method string, hasKey bool) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return hasKey
}
