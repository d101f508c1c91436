package portforward

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"k8s.io/streaming/pkg/httpstream"

	"github.com/slipway-cd/slipway/internal/textline"
)

// Conn is a connection to a port of a pod: a net.Conn whose deadlines do nothing.
type Conn struct {
	data    httpstream.Stream
	opened  chan struct{} // closed when data is open, or failed to
	errors  httpstream.Stream
	tunnel  *tunnel
	once    sync.Once     // for the end of its use
	ended   chan struct{} // closed when the error stream has ended
	failure error         // what came on it
}

// maxErrorText is how much of the error stream is read.
const maxErrorText = 4 << 10

// maxErrorLine is how much of it is shown.
const maxErrorLine = 300

// readErrors reads the error stream to its end. After a failure no more data comes,
// but there are kubelets that leave its stream open.
func (c *Conn) readErrors() {
	_ = c.errors.Close() // nothing is written on it
	text, _ := io.ReadAll(io.LimitReader(c.errors, maxErrorText))
	if line := textline.Printable(string(text), maxErrorLine); line != "" {
		c.failure = PodError(line)
	}
	close(c.ended)
	if <-c.opened; c.failure == nil || c.data == nil {
		return
	}
	_ = c.data.Reset() // it may have ended
	c.tunnel.onRefusal()
}

// PodError is why a pod ended a connection, in its kubelet's words.
type PodError string

// Error implements error.
func (e PodError) Error() string { return string(e) }

// errorDelay is how much later than the end of the data its cause may come.
const errorDelay = 250 * time.Millisecond

// Read reads data. Where the pod gave a reason for the end of the data ("connection
// refused"), the error is a PodError and not io.EOF.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	if n > 0 || err == nil {
		return n, err
	}
	select {
	case <-c.ended:
		if c.failure != nil {
			err = c.failure
		}
	case <-time.After(errorDelay):
	}
	return 0, err
}

// Write writes data.
func (c *Conn) Write(p []byte) (int, error) { return c.data.Write(p) }

// CloseWrite sends the end of our data.
func (c *Conn) CloseWrite() error { return c.data.Close() }

// Close ends both directions. It does not wait: readers end at once, and the pod
// hears of it in the background.
func (c *Conn) Close() error {
	go c.reset()
	return nil
}

func (c *Conn) reset() {
	_ = errors.Join(c.errors.Reset(), c.data.Reset()) // they may have ended
	c.tunnel.conn.RemoveStreams(c.errors, c.data)
	c.once.Do(c.tunnel.leave)
}

// LocalAddr and RemoteAddr name the protocol: streams have no addresses.
func (*Conn) LocalAddr() net.Addr { return address{} }

// RemoteAddr is like LocalAddr.
func (*Conn) RemoteAddr() net.Addr { return address{} }

// SetDeadline does nothing: Close ends reads and writes.
func (*Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (*Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (*Conn) SetWriteDeadline(time.Time) error { return nil }

type address struct{}

func (address) Network() string { return protocol }
func (address) String() string  { return protocol }
