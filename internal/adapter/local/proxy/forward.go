package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy/wire"
)

// forward forwards the request that was read, and reports whether the connection
// can take another one.
func (x *session) forward() bool {
	p := x.server.proxy
	e := plainExchange{route: route{proxy: p, probe: x.req.Probe}, session: x, start: p.cfg.Now(), closing: x.req.Close || x.server.closing.Load()}
	defer e.release()
	if p.cfg.Sample != nil {
		e.sampling = p.cfg.Sample.start(string(x.req.Method), string(x.req.Target))
	}
	x.enter(waiting)
	status, how := e.tryReplicas()
	switch how {
	case complete:
		e.recordResponse(e.end, status, e.end.Sub(e.start))
		e.sampling.finish(Sample{Release: e.pool.release, Status: status, Request: x.body(), Took: e.end.Sub(e.start)})
	case lost, truncated:
		if !x.isGone() {
			e.recordFailure()
		}
	case clientGone:
	}
	x.last = ""
	if string(x.req.Method) == http.MethodPost {
		x.last = http.MethodPost
	}
	x.start += x.req.Size + int(x.req.ContentLength)
	return (how == complete || how == lost) && !e.closing && !x.isGone()
}

// tryReplicas tries replicas until one responds or sending the request again would
// not be safe. It responds to the client in either case.
func (e *plainExchange) tryReplicas() (status int, how outcome) {
	var previous error
	for {
		err := e.pick(e.ctx)
		if err != nil {
			return e.fail(errors.Join(err, previous))
		}
		failed := failure{kept: true, idempotent: idempotent(string(e.req.Method), e.req.HasIdempotencyKey)}
		l, err := e.backend.connect(e.ctx, e.pool.dial, e.start)
		if err == nil {
			failed.connected, failed.reused = true, l.reused
			if status, how, err = e.attempt(l, &failed); err == nil {
				return status, how
			}
		}
		if e.isGone() || !e.mayResend(failed) {
			return e.fail(err)
		}
		e.skip()
		previous = err
	}
}

// attempt sends the request to a replica and passes its response on. An error means
// that the client has not got any of it.
func (e *plainExchange) attempt(l *link, failed *failure) (status int, how outcome, err error) {
	if !e.use(l) {
		l.conn.Close()
		return 0, lost, errClientGone
	}
	again := false
	defer func() {
		e.use(nil)
		if again {
			e.backend.keep(l, e.end)
		} else {
			l.conn.Close()
		}
	}()
	if err = e.send(l, failed); err != nil {
		return 0, lost, err
	}
	var resp wire.Response
	for {
		var verdict wire.Verdict
		e.out, verdict = resp.Parse(l.unread(), e.out[:0], wire.Asked{Head: string(e.req.Method) == http.MethodHead, Close: e.closing})
		switch {
		case verdict == wire.Plain:
			l.start += resp.Size
			how = e.relay(l, &resp.Body)
			again = how == complete && !resp.Close && !l.broken && l.start == l.end
			return resp.Status, how, nil
		case verdict == wire.Rare || l.isFull():
			return e.relayRare(l)
		}
		if err := l.fill(); err != nil {
			return 0, lost, fmt.Errorf("read the response: %w", err)
		}
		failed.responded = true
	}
}

// send sends head and body. A replica that refuses the rest of a body may have
// responded already.
func (e *plainExchange) send(l *link, failed *failure) error {
	body := e.body()
	coalesced := len(body) <= maxCoalesced
	if coalesced {
		e.head = append(e.head, body...)
	}
	n, err := l.conn.Write(e.head)
	failed.sent = n > 0
	if coalesced {
		e.head = e.head[:len(e.head)-len(body)] // for another attempt
	} else if err == nil {
		_, err = l.conn.Write(body)
	}
	if err == nil || !failed.sent {
		return err
	}
	l.broken = true
	_ = l.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // the error of Write comes next
	if l.fill() != nil {
		return err
	}
	_ = l.conn.SetReadDeadline(time.Time{})
	failed.responded = true
	return nil
}

// relay passes a plain response on: its rewritten head, and the bytes of its body as
// they are.
func (e *plainExchange) relay(l *link, b *wire.Body) outcome {
	if e.sampling != nil {
		e.sampling.chunked = b.IsChunked()
	}
	pending := e.out
	for {
		part := l.unread()
		n, end, err := b.Next(part)
		l.start += n
		e.sampling.add(part[:n])
		switch {
		case len(pending) == 0:
			pending = part[:n]
		case n <= maxCoalesced:
			e.out = append(e.out, part[:n]...)
			pending = e.out
		default:
			if !e.write(pending) {
				return clientGone
			}
			pending = part[:n]
		}
		if len(pending) > 0 && !e.write(pending) {
			return clientGone
		}
		pending = nil
		switch {
		case err != nil:
			return truncated
		case end:
			e.end = e.proxy.cfg.Now()
			return complete
		}
		e.enter(waiting)
		if err := l.fill(); err != nil {
			return truncated
		}
	}
}

// fail responds that no replica did.
func (e *plainExchange) fail(err error) (int, outcome) {
	if e.isGone() {
		return 0, clientGone
	}
	path, _, _ := strings.Cut(string(e.req.Target), "?")
	status, text := e.proxy.explain(&e.route, string(e.req.Method), path, err)
	text += "\n"
	e.out = fmt.Appendf(e.out[:0], "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nContent-Length: %d\r\n", status, http.StatusText(status), len(text))
	if status == http.StatusServiceUnavailable {
		e.out = append(e.out, "Retry-After: 1\r\n"...)
	}
	if e.closing {
		e.out = append(e.out, "Connection: close\r\n"...)
	}
	e.out = append(e.out, "\r\n"...)
	if string(e.req.Method) != http.MethodHead {
		e.out = append(e.out, text...)
	}
	if !e.write(e.out) {
		e.closing = true // the failure is recorded all the same
	}
	return status, lost
}
