package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// bufferBody buffers a body up to the limit for retries. A longer one is
// streamed.
func (x *exchange) bufferBody(r *http.Request, limit int64) error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength > limit {
		x.streaming = true
		return nil
	}
	kept, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return err
	}
	if int64(len(kept)) > limit {
		x.streaming = true
		r.Body = readCloser{io.MultiReader(bytes.NewReader(kept), r.Body), r.Body}
		return nil
	}
	if len(kept) == 0 {
		r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, 0, nil
		return nil
	}
	x.body = kept
	return nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

func (x *exchange) onResponse(resp *http.Response) {
	x.status = resp.StatusCode
	if resp.StatusCode == http.StatusSwitchingProtocols {
		x.respondedAt = x.proxy.cfg.Now() // the time after the upgrade is not latency
		return
	}
	resp.Body = &observedBody{resp.Body, x}
}

// observedBody records that a replica broke off its response.
type observedBody struct {
	io.ReadCloser
	x *exchange
}

func (w *observedBody) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
		w.x.truncated.Store(true)
	}
	return n, err
}

// finish releases the pool and records the outcome. It also runs during a panic
// of the reverse proxy, which is how that aborts a truncated response.
func (x *exchange) finish(ctx context.Context) {
	if x.backend != nil {
		x.pool.giveBack(x.backend)
	}
	if x.pool == nil {
		return
	}
	defer x.pool.dropRequest()
	recorder, now := x.proxy.cfg.Recorder, x.proxy.cfg.Now()
	switch {
	case recorder == nil || x.clientGone || x.probe:
	case x.truncated.Load(), x.failed && ctx.Err() == nil:
		x.recordFailure()
	case x.completed && x.status != 0: // otherwise the client disconnected
		until := now
		if !x.respondedAt.IsZero() {
			until = x.respondedAt
		}
		recorder.RecordResponse(x.pool.release, now, x.status, until.Sub(x.start))
	}
}

func (x *exchange) recordFailure() {
	if recorder := x.proxy.cfg.Recorder; recorder != nil && !x.probe {
		recorder.RecordFailure(x.pool.release, x.proxy.cfg.Now())
	}
}

var errNoReplica = errors.New("no replica is ready")

func isNoReplicaError(err error) bool { return errors.Is(err, errNoReplica) }

// pick waits for a replica of the current release that was not tried yet.
func (x *exchange) pick(ctx context.Context) error {
	if x.backend != nil {
		x.pool.giveBack(x.backend)
		x.backend = nil
	}
	deadline := time.NewTimer(x.proxy.cfg.ReadyTimeout)
	defer deadline.Stop()
	for {
		switched := x.proxy.attach(x)
		if x.pool == nil {
			return fmt.Errorf("no release is deployed here: %w", errNoReplica)
		}
		b, changed := x.pool.acquire(x.tried)
		if b != nil {
			x.backend = b
			return nil
		}
		again := time.NewTimer(100 * time.Millisecond)
		select {
		case <-switched:
		case <-changed:
		case <-again.C:
			clear(x.tried) // refused connections may work again
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
