package proxy

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxIdleLinks = 256      // per replica
	linkBuffer   = 16 << 10 // of a response
)

// maxIdle is how long an unused connection to a replica is kept. Many servers close
// theirs after 5 s. Closing first avoids most races with that.
const maxIdle = 4 * time.Second

// backend is a replica, with the connections to it that no request uses.
type backend struct {
	address  string
	inflight atomic.Int64

	mu       sync.Mutex
	idle     []*link // the newest last
	retired  bool    // takes no more requests
	trimming bool
}

// link is a connection to a replica, used by one request at a time.
type link struct {
	conn   net.Conn
	raw    syscall.RawConn // nil: it cannot be seen whether the replica closed it
	reused bool
	broken bool      // nothing more can be sent
	since  time.Time // of being idle

	buf        []byte
	start, end int // of what was read and not yet forwarded

	probe func(uintptr) // sets open
	open  bool
}

// dialAddress connects to the replica with an address.
type dialAddress func(ctx context.Context, address string) (net.Conn, error)

// connect returns the connection that was used last and is still open, or makes one.
func (b *backend) connect(ctx context.Context, dial dialAddress, now time.Time) (*link, error) {
	for {
		l := b.takeIdle()
		if l == nil {
			break
		}
		if now.Sub(l.since) < maxIdle && l.isOpen() {
			l.reused = true
			return l, nil
		}
		l.conn.Close()
	}
	conn, err := dial(ctx, b.address)
	if err != nil {
		return nil, err
	}
	return newLink(conn), nil
}

func (b *backend) takeIdle() *link {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.idle)
	if n == 0 {
		return nil
	}
	l := b.idle[n-1]
	b.idle[n-1] = nil
	b.idle = b.idle[:n-1]
	return l
}

// keep keeps a connection for later requests.
func (b *backend) keep(l *link, now time.Time) {
	l.since = now
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.retired || l.raw == nil || len(b.idle) >= maxIdleLinks {
		l.conn.Close()
		return
	}
	b.idle = append(b.idle, l)
	if !b.trimming {
		b.trimming = true
		time.AfterFunc(maxIdle, b.trim)
	}
}

// trim closes connections that were idle for too long, from time to time for as
// long as there are any.
func (b *backend) trim() {
	b.closeIdle(time.Now().Add(-maxIdle))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trimming = len(b.idle) > 0
	if b.trimming {
		time.AfterFunc(maxIdle/4, b.trim)
	}
}

// retire closes idle connections, and those in use when their request ends.
func (b *backend) retire() {
	b.mu.Lock()
	b.retired = true
	b.mu.Unlock()
	b.closeIdle(time.Time{})
}

// closeIdle closes the connections that are idle since before the time; zero: all.
func (b *backend) closeIdle(before time.Time) {
	b.mu.Lock()
	n := len(b.idle)
	if !before.IsZero() {
		n = slices.IndexFunc(b.idle, func(l *link) bool { return l.since.After(before) })
		if n < 0 {
			n = len(b.idle)
		}
	}
	old := slices.Clone(b.idle[:n])
	b.idle = slices.Delete(b.idle, 0, n)
	b.mu.Unlock()
	for _, l := range old {
		l.conn.Close()
	}
}

func newLink(conn net.Conn) *link {
	l := &link{conn: conn, buf: make([]byte, linkBuffer)}
	if c, ok := conn.(syscall.Conn); ok {
		l.raw, _ = c.SyscallConn() // nil is fine, see above
	}
	l.probe = func(fd uintptr) { l.open = hasNothingToRead(fd, l.buf[:1]) }
	return l
}

// isOpen reports whether the replica has neither closed the idle connection nor sent
// anything on it.
func (l *link) isOpen() bool {
	l.open = false
	return l.raw.Control(l.probe) == nil && l.open
}

// fill reads more of the response. What was read before is kept.
func (l *link) fill() error {
	if l.start == l.end {
		l.start, l.end = 0, 0
	}
	if l.end == len(l.buf) && l.start > 0 {
		l.end = copy(l.buf, l.buf[l.start:l.end])
		l.start = 0
	}
	n, err := l.conn.Read(l.buf[l.end:])
	l.end += n
	if n > 0 {
		return nil
	}
	return err
}

func (l *link) unread() []byte { return l.buf[l.start:l.end] }

func (l *link) isFull() bool { return l.end-l.start == len(l.buf) }
