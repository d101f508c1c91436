package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/slipway-cd/slipway/internal/fault"
)

// replyTime is how long it may take to connect to a pod, or to open a stream on
// a connection.
const replyTime = 3 * time.Second

// tunnels are connections to pods through the API server, one for each pod; many
// streams share one. No lock is held while the API server is asked.
type tunnels struct {
	c *cluster

	mu   sync.Mutex // guards the map only
	open map[string]*tunnel
}

// tunnel is a connection to a pod. Once made is closed, conn or err is set.
type tunnel struct {
	made chan struct{}
	conn httpstream.Connection
	err  error
	next atomic.Int64 // the last request ID
}

func newTunnels(c *cluster) *tunnels { return &tunnels{c: c, open: map[string]*tunnel{}} }

// close ends all connections. It does not wait.
func (t *tunnels) close() {
	t.mu.Lock()
	open := t.open
	t.open = map[string]*tunnel{}
	t.mu.Unlock()
	for _, one := range open {
		one.close()
	}
}

// dial opens a stream to a port of a pod. Connections that fail are made anew
// until ctx ends, or until the API server refuses for good.
func (t *tunnels) dial(ctx context.Context, pod string, port int) (*stream, error) {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		s, err := t.begin(ctx, pod, port)
		if err == nil || t.final(err) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

// final reports whether dialing again would fail in the same way.
func (t *tunnels) final(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound:
		return true
	case fault.Denied:
		return !t.c.line.wakes()
	}
	return false
}

// begin opens a stream on the pod's tunnel. Whether the tunnel works is decided
// by replyTime, not by ctx: one impatient caller does not end it for the others.
func (t *tunnels) begin(ctx context.Context, pod string, port int) (*stream, error) {
	one := t.to(pod)
	select {
	case <-one.made:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return within(ctx, func() (*stream, error) {
		s, err := one.begin(port)
		if err != nil {
			t.drop(pod, one)
		}
		return s, err
	}, (*stream).abandon)
}

// to returns the pod's tunnel, which may still be connecting.
func (t *tunnels) to(pod string) *tunnel {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one, ok := t.open[pod]; ok {
		return one
	}
	one := &tunnel{made: make(chan struct{})}
	t.open[pod] = one
	go func() {
		defer close(one.made)
		ctx, cancel := withReplyTime("connect to pod " + pod)
		defer cancel()
		one.conn, one.err = within(ctx, func() (httpstream.Connection, error) { return t.c.tunnel(ctx, pod) },
			func(c httpstream.Connection) { _ = c.Close() }) // it came too late
	}()
	return one
}

// drop forgets a tunnel that failed, unless another has taken its place.
func (t *tunnels) drop(pod string, one *tunnel) {
	t.mu.Lock()
	if t.open[pod] == one {
		delete(t.open, pod)
	}
	t.mu.Unlock()
	one.close()
}

// close ends the connection in the background: one that has broken may block.
func (t *tunnel) close() {
	go func() {
		<-t.made
		if t.err == nil {
			_ = t.conn.Close() // it may have ended
		}
	}()
}

// begin opens a stream, or fails after replyTime or when the connection ends.
// The SPDY library itself waits 30 s for an answer, on dead connections too.
func (t *tunnel) begin(port int) (*stream, error) {
	if t.err != nil {
		return nil, t.err
	}
	ctx, cancel := withReplyTime("open a stream to port " + strconv.Itoa(port))
	defer cancel()
	ctx, broken := context.WithCancelCause(ctx)
	defer broken(nil)
	go func() {
		select {
		case <-t.conn.CloseChan():
			broken(errors.New("the connection to the pod was closed"))
		case <-ctx.Done():
		}
	}()
	return within(ctx, func() (*stream, error) { return t.stream(port) }, (*stream).abandon)
}

// stream opens the pair of streams that the protocol wants for each connection
// to a port.
func (t *tunnel) stream(port int) (*stream, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(t.next.Add(1), 10))
	trouble, err := t.conn.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("open an error stream: %w", err)
	}
	s := &stream{trouble: trouble, conn: t.conn, told: make(chan struct{})}
	go s.listen()
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	if s.Stream, err = t.conn.CreateStream(headers); err != nil {
		_ = trouble.Reset()
		return nil, fmt.Errorf("open a data stream: %w", err)
	}
	return s, nil
}

// stream is a connection to a port of a pod.
type stream struct {
	httpstream.Stream
	conn    httpstream.Connection
	trouble httpstream.Stream
	told    chan struct{} // closed when the error stream has ended
	cause   error         // what came on it
}

// maxCause is how much of a cause is read.
const maxCause = 4 << 10

func (s *stream) listen() {
	defer close(s.told)
	_ = s.trouble.Close() // nothing is written on it
	text, _ := io.ReadAll(io.LimitReader(s.trouble, maxCause))
	if cause := printable(string(text)); cause != "" {
		s.cause = podError(cause)
	}
}

// podError is why a pod ended a stream, in its kubelet's words.
type podError string

// Error is for people.
func (e podError) Error() string { return string(e) }

// causeTime is how much later than the data's end its cause may come.
const causeTime = 250 * time.Millisecond

// Read returns, instead of the data's end, why the pod ended it ("connection
// refused"), if it said.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	if n > 0 || err == nil {
		return n, err
	}
	select {
	case <-s.told:
		if s.cause != nil {
			err = s.cause
		}
	case <-time.After(causeTime):
	}
	return 0, err
}

// CloseWrite tells the pod that nothing more comes.
func (s *stream) CloseWrite() error { return s.Stream.Close() }

// Close ends both directions. It does not wait: readers end at once, and the pod
// is told in the background.
func (s *stream) Close() error {
	go s.abandon()
	return nil
}

func (s *stream) abandon() {
	_, _ = s.trouble.Reset(), s.Stream.Reset() // they may have ended
	s.conn.RemoveStreams(s.trouble, s.Stream)
}

func withReplyTime(act string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.Background(), replyTime, fmt.Errorf("%s: no answer in %s", act, replyTime))
}

// within returns what f returns, or ctx's cause when that ends first; a value
// that comes too late goes to discard.
func within[T any](ctx context.Context, f func() (T, error), discard func(T)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				discard(r.v)
			}
		}()
		var none T
		return none, context.Cause(ctx)
	}
}
