package proxy

import (
	"net/http"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy/wire"
)

const (
	maxPlainBody = 64 << 10 // of a request that is not handed over
	maxCoalesced = 16 << 10 // of a body that is written together with its head
)

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
	skip := 0
	if x.last == http.MethodPost { // some clients send an empty line after a form: net/http allows for it
		skip = 4
	}
	x.scratch = x.server.scratch.Get().(*scratch)
	x.how.Proxies = x.server.proxy.proxiesFor(x.peer)
	for {
		for ; skip > 0 && x.start < x.end && (x.buf[x.start] == '\r' || x.buf[x.start] == '\n'); skip-- {
			x.start++
		}
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
