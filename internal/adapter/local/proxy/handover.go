package proxy

import (
	"context"
	"net"
	"slices"
	"sync"
)

// handedListener accepts the connections that were handed over.
type handedListener struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
	remove  func(*session) // when its connection is closed
}

func (l *handedListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *handedListener) Addr() net.Addr { return l.address }

func (l *handedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// take gives the session's connection to the general path, with what was read of it.
func (l *handedListener) take(x *session) {
	x.server.proxy.bodies.giveBack(x.extra)
	x.enter(general)
	c := &handedConn{Conn: x.conn, session: x, read: slices.Clone(x.buf[x.start:x.end]), remove: l.remove}
	x.buf = nil
	select {
	case l.conns <- c:
	case <-l.closed:
		_ = c.Close() // it is only given up
	}
}

// handedConn is a connection of which some bytes were read before.
type handedConn struct {
	net.Conn
	session *session
	read    []byte
	once    sync.Once
	remove  func(*session)
}

func (c *handedConn) Read(b []byte) (int, error) {
	if len(c.read) > 0 {
		n := copy(b, c.read)
		c.read = c.read[n:]
		return n, nil
	}
	n, err := c.Conn.Read(b)
	if n > 0 && c.session.upgraded.Load() {
		c.session.enter(general)
	}
	return n, err
}

// sessionKey is where the context of a request of the general path has its session.
type sessionKey struct{}

func withSession(ctx context.Context, c net.Conn) context.Context {
	if handed, ok := c.(*handedConn); ok {
		return context.WithValue(ctx, sessionKey{}, handed.session)
	}
	return ctx
}

// Write is watched: a client that takes nothing must not hold a replica.
func (c *handedConn) Write(b []byte) (int, error) {
	c.session.enter(writing)
	defer c.session.enter(general)
	return c.Conn.Write(b)
}

func (c *handedConn) Close() error {
	c.once.Do(func() { c.remove(c.session) })
	return c.Conn.Close()
}
