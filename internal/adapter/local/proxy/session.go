package proxy

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy/wire"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	sessionBuffer = 8 << 10  // of a request's header, and its body if it fits
	maxPlainBody  = 64 << 10 // of a request that is not handed over
	maxCoalesced  = 16 << 10 // of a body that is written together with its head
)

// session is the connection of a client, for as long as its requests are plain. One
// goroutine reads a request, forwards it on a connection to a replica, and writes the
// response.
type session struct {
	server *Server
	conn   net.Conn
	how    wire.Rewriting

	buf        []byte
	start, end int   // of what was read and not yet used
	extra      int64 // bytes of the budget for bodies: what buf is longer than usual

	req      wire.Request
	*scratch // nil between requests

	ctx    context.Context
	cancel context.CancelCauseFunc
	state  atomic.Uint64 // its phase, and how often it changed
	seen   uint64        // by the sweeper
	since  time.Time     // it saw that

	mu   sync.Mutex
	link *link // in use
	gone bool  // the client
}

// scratch has the messages that a session writes: the head of the request, with a
// short body, and that of the response.
type scratch struct{ head, out []byte }

func newSession(s *Server, conn net.Conn) *session {
	client, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	x := &session{
		server: s, conn: conn, how: wire.Rewriting{Client: client, ProbeHeader: port.ProbeHeader},
		buf: make([]byte, sessionBuffer), since: time.Now(),
	}
	x.ctx, x.cancel = context.WithCancelCause(context.Background())
	return x
}

// serve forwards requests until the connection ends or is handed over.
func (x *session) serve() {
	defer x.cancel(nil)
	for {
		switch x.readRequest() {
		case wire.Rare:
			x.handOver()
			return
		case wire.Plain:
			if x.forward() {
				x.dropScratch()
				continue
			}
		}
		x.dropScratch()
		x.server.remove(x)
		x.server.proxy.bodies.giveBack(x.extra)
		x.conn.Close()
		return
	}
}

// readRequest reads the head and the body of the next request. It is Rare if it is
// for the general path, and Incomplete if the connection ends.
func (x *session) readRequest() wire.Verdict {
	x.shrink()
	if x.start == x.end {
		x.enter(idle)
		if x.server.closing.Load() {
			return wire.Incomplete
		}
		if !x.fill() {
			return wire.Incomplete
		}
	}
	x.enter(header)
	x.scratch = x.server.scratch.Get().(*scratch)
	for {
		var verdict wire.Verdict
		x.head, verdict = x.req.Parse(x.buf[x.start:x.end], x.head[:0], x.how)
		switch {
		case verdict == wire.Rare:
			return wire.Rare
		case verdict == wire.Plain:
			return x.readBody()
		case x.start == 0 && x.end == len(x.buf):
			return wire.Rare // too long
		case !x.fill():
			return wire.Incomplete
		}
	}
}

func (x *session) dropScratch() {
	if x.scratch != nil {
		x.server.scratch.Put(x.scratch)
		x.scratch = nil
	}
}

// readBody reads the body into the buffer, behind the head.
func (x *session) readBody() wire.Verdict {
	if x.req.ContentLength > maxPlainBody {
		return wire.Rare
	}
	size := x.req.Size + int(x.req.ContentLength)
	if size <= x.end-x.start {
		return wire.Plain
	}
	if size > len(x.buf) && !x.grow(size) {
		return wire.Rare
	}
	x.move(x.buf)
	for x.end < size {
		x.enter(body)
		if !x.fill() {
			return wire.Incomplete
		}
	}
	// What the request consists of may have moved.
	x.head, _ = x.req.Parse(x.buf[:x.end], x.head[:0], x.how)
	return wire.Plain
}

// grow makes the buffer long enough for a body, within the budget of all.
func (x *session) grow(size int) bool {
	more := int64(size - len(x.buf))
	if !x.server.proxy.bodies.take(more) {
		return false
	}
	x.extra += more
	x.move(make([]byte, size))
	return true
}

// shrink gives back what the last request needed more than usual.
func (x *session) shrink() {
	if x.extra > 0 && x.end-x.start <= sessionBuffer {
		x.server.proxy.bodies.giveBack(x.extra)
		x.extra = 0
		x.move(make([]byte, sessionBuffer))
	}
}

// move moves what is not yet used to the start of a buffer.
func (x *session) move(to []byte) {
	x.end = copy(to, x.buf[x.start:x.end])
	x.start, x.buf = 0, to
}

// fill reads more, and reports whether there was any.
func (x *session) fill() bool {
	if x.start == x.end {
		x.start, x.end = 0, 0
	}
	if x.end == len(x.buf) {
		x.move(x.buf)
	}
	n, _ := x.conn.Read(x.buf[x.end:])
	x.end += n
	return n > 0
}

// body returns the request's body, which was read completely.
func (x *session) body() []byte {
	at := x.start + x.req.Size
	return x.buf[at : at+int(x.req.ContentLength)]
}

// handOver gives the connection to the general path, with what was read of it.
func (x *session) handOver() {
	x.server.proxy.bodies.giveBack(x.extra)
	x.enter(general)
	c := &handedConn{Conn: x.conn, session: x, read: append([]byte(nil), x.buf[x.start:x.end]...)}
	x.dropScratch()
	x.buf = nil
	if !x.server.handed.handOver(c) {
		c.Close()
	}
}

// use makes a connection to a replica the one that ends with the client. It reports
// whether the client is still there.
func (x *session) use(l *link) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.link = l
	return !x.gone
}

func (x *session) isGone() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.gone
}

func (x *session) write(b []byte) bool {
	x.enter(writing)
	_, err := x.conn.Write(b)
	return err == nil
}
