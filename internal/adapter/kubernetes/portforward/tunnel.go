package portforward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
)

// tunnel is a connection to a pod. Once connected is closed, conn or err is set.
type tunnel struct {
	connected chan struct{}
	conn      httpstream.Connection
	err       error
	requestID atomic.Int64 // the last one
	onRefusal func()       // called when the pod has refused a connection

	mu      sync.Mutex
	inUse   int  // connections
	retired bool // close it once none is in use
}

// newTunnel starts to connect.
func newTunnel(c *client.Client, pod string) *tunnel {
	t := &tunnel{connected: make(chan struct{})}
	go func() {
		defer close(t.connected)
		ctx, cancel := withResponseTimeout("connect to pod " + pod)
		defer cancel()
		t.conn, t.err = withContext(ctx, func() (httpstream.Connection, error) { return connect(ctx, c, pod) },
			func(conn httpstream.Connection) { _ = conn.Close() }) // it came too late
	}()
	return t
}

// close ends the connection in the background: a broken one may block.
func (t *tunnel) close() {
	go func() {
		<-t.connected
		if t.err == nil {
			_ = t.conn.Close() // it may have ended
		}
	}()
}

// open opens a connection to a port, or fails after responseTimeout or when the
// tunnel ends. The SPDY library itself waits 30 s, on dead connections, too.
func (t *tunnel) open(port int) (*Conn, error) {
	if t.err != nil {
		return nil, t.err
	}
	ctx, cancel := withResponseTimeout("open a stream to port " + strconv.Itoa(port))
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	go func() {
		select {
		case <-t.conn.CloseChan():
			abort(errors.New("the connection to the pod was closed"))
		case <-ctx.Done():
		}
	}()
	return withContext(ctx, func() (*Conn, error) { return t.createStreams(port) }, (*Conn).reset)
}

// createStreams creates the pair of streams that the protocol requires for each
// connection to a port.
func (t *tunnel) createStreams(port int) (*Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(t.requestID.Add(1), 10))
	errorStream, err := t.conn.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("open an error stream: %w", err)
	}
	c := &Conn{errors: errorStream, tunnel: t, opened: make(chan struct{}), ended: make(chan struct{})}
	defer close(c.opened)
	go c.readErrors()
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	if c.data, err = t.conn.CreateStream(headers); err != nil {
		_ = errorStream.Reset()
		return nil, fmt.Errorf("open a data stream: %w", err)
	}
	t.mu.Lock()
	t.inUse++
	t.mu.Unlock()
	return c, nil
}

// leave ends the use of the tunnel by one connection.
func (t *tunnel) leave() {
	t.mu.Lock()
	t.inUse--
	last := t.retired && t.inUse == 0
	t.mu.Unlock()
	if last {
		t.close()
	}
}

// retire closes the tunnel when its connections have ended.
func (t *tunnel) retire() {
	t.mu.Lock()
	t.retired = true
	unused := t.inUse == 0
	t.mu.Unlock()
	if unused {
		t.close()
	}
}
