package proxy

import (
	"errors"
	"syscall"
	"time"
)

// sweepInterval is how often sessions are looked at: rarely enough that a request
// costs no timer, and often enough to see that a client has gone.
const sweepInterval = 200 * time.Millisecond

// sweep ends what clients keep waiting for too long.
func (s *Server) sweep() {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			s.eachSession(func(x *session) { x.check(now) })
		case <-s.stop:
			return
		}
	}
}

// check ends the session if it makes no progress, or if its client is gone. Only the
// sweeper calls it.
func (x *session) check(now time.Time) {
	state := x.state.Load()
	if state != x.seen {
		x.server.mu.Lock() // dropOldest reads it
		x.seen, x.since = state, now
		x.server.mu.Unlock()
		return
	}
	var limit time.Duration
	cfg := &x.server.proxy.cfg
	switch x.phase() {
	case idle:
		limit = cfg.IdleTimeout
	case header:
		limit = cfg.HeaderTimeout
	case body, writing:
		limit = cfg.StallTimeout
	case waiting:
		if x.isClientGone() {
			x.abort()
		}
		return
	case general:
		if !x.upgraded.Load() {
			return // net/http limits it
		}
		limit = cfg.UpgradeTimeout
	}
	if now.Sub(x.since) > limit {
		x.conn.Close()
	}
}

var errClientGone = errors.New("the client is gone")

// abort ends the session and what it does with a replica.
func (x *session) abort() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gone = true
	x.cancel(errClientGone)
	x.conn.Close()
	if x.link != nil {
		x.link.conn.Close()
	}
}

func (x *session) isClientGone() bool {
	c, ok := x.conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	err = raw.Control(func(fd uintptr) { gone = isClosed(fd) })
	return gone || err != nil
}
