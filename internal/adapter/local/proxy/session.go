package proxy

import (
	"context"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy/wire"
	"github.com/slipway-cd/slipway/internal/port"
)

// Server serves a proxy on a loopback port.
type Server struct {
	proxy    *Proxy
	listener net.Listener
	port     int
	general  *http.Server
	handOver func(*session) // to general
	log      *log.Logger    // nil: discarded

	closing atomic.Bool
	ended   sync.WaitGroup // sessions, and what makes them
	stop    chan struct{}  // the sweeper

	scratch sync.Pool // of *scratch

	mu       sync.Mutex
	sessions map[*session]bool
}

const sessionBuffer = 8 << 10 // of a request's header, and its body if it fits

// session is the connection of a client, for as long as its requests are plain. One
// goroutine reads a request, forwards it on a connection to a replica, and writes the
// response.
type session struct {
	server *Server
	conn   net.Conn
	how    wire.Rewriting
	peer   netip.Addr // the client, which may be a proxy

	buf        []byte
	start, end int   // of what was read and not yet used
	extra      int64 // bytes of the budget for bodies: what buf is longer than usual

	req      wire.Request
	last     string // method of the previous request
	*scratch        // nil between requests

	ctx    context.Context
	cancel context.CancelCauseFunc
	state  atomic.Uint64 // its phase, and how often it changed

	upgraded atomic.Bool // it is a stream of another protocol

	seen  uint64    // by the sweeper
	since time.Time // it saw that

	mu   sync.Mutex
	link *link // in use
	gone bool  // the client
}

// scratch has the messages that a session writes: the head of the request, with a
// short body, and that of the response.
type scratch struct{ head, out []byte }

func newSession(s *Server, conn net.Conn) *session {
	client, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	peer, _ := netip.ParseAddr(client) // no address is no proxy's
	x := &session{
		server: s, conn: conn, peer: peer, how: wire.Rewriting{Client: client, ProbeHeader: port.ProbeHeader, ProbeToken: s.proxy.cfg.ProbeToken},
		buf: make([]byte, sessionBuffer), since: time.Now(),
	}
	x.ctx, x.cancel = context.WithCancelCause(context.Background())
	return x
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

// phase is what a session waits for.
type phase uint64

const (
	idle    phase = iota // a request
	header               // the rest of a header
	body                 // the rest of a request's body
	waiting              // a replica
	writing              // the client, to take the response
	general              // the general path, which has the connection
)

const phaseBits = 3

// enter begins a phase, or notes progress in the current one. Writers do not
// exclude each other: any change is progress.
func (x *session) enter(p phase) {
	x.state.Store((x.state.Load()>>phaseBits+1)<<phaseBits | uint64(p))
}

func (x *session) phase() phase { return phase(x.state.Load() & (1<<phaseBits - 1)) }

func (s *Server) remove(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, x)
}

func (s *Server) eachSession(do func(*session)) {
	s.mu.Lock()
	var all []*session
	for x := range s.sessions {
		all = append(all, x)
	}
	s.mu.Unlock()
	for _, x := range all {
		do(x)
	}
}
