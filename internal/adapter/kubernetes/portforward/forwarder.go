package portforward

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/textline"
)

// Picker chooses the pod and port for a connection.
type Picker func(ctx context.Context) (pod string, port int, err error)

// Forwarder is a local address that leads to pods.
type Forwarder struct {
	listener net.Listener
	pool     *Pool
	pick     Picker
	stop     context.CancelFunc
}

// Listen opens a local address. Each connection to it goes to the pod that pick
// chooses.
func Listen(pool *Pool, pick Picker) (*Forwarder, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &Forwarder{listener: l, pool: pool, pick: pick, stop: stop}
	go f.serve(ctx)
	return f, nil
}

// URL returns the address.
func (f *Forwarder) URL() string { return "http://" + f.listener.Addr().String() }

// Close ends the address, its connections, and its pool.
func (f *Forwarder) Close() {
	f.stop()
	f.listener.Close()
	f.pool.Close()
}

func (f *Forwarder) serve(ctx context.Context) {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		go f.handle(ctx, conn)
	}
}

// handle connects one caller with a pod, once the caller has begun to send: an HTTP
// client takes a response that comes before its request for a broken connection.
func (f *Forwarder) handle(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	request := bufio.NewReader(conn)
	if _, err := request.Peek(1); err != nil {
		return // the caller left, or the address is closed
	}
	pod, err := f.dial(ctx)
	if err != nil {
		respondError(conn, err)
		return
	}
	defer func() { _ = pod.Close() }() // it never fails
	defer context.AfterFunc(ctx, func() { _ = pod.Close() })()
	var directions sync.WaitGroup
	directions.Go(func() { _, _ = io.Copy(pod, request); _ = pod.CloseWrite() })
	directions.Go(func() {
		var refused PodError
		if n, err := io.Copy(conn, pod); n == 0 && errors.As(err, &refused) {
			respondError(conn, refused)
		}
		conn.Close()
	})
	directions.Wait()
}

// dialTimeout is how long it may take to find a pod and connect to it.
const dialTimeout = 10 * time.Second

func (f *Forwarder) dial(ctx context.Context) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	pod, port, err := f.pick(ctx)
	if err != nil {
		return nil, err
	}
	return f.pool.Dial(ctx, pod, port)
}

// drainTimeout is how long the rest of a request is read that failed.
const drainTimeout = time.Second

// respondError sends the reason why the request reached no pod. The request is read to
// its end: closing before that would discard the response.
func respondError(conn net.Conn, reason error) {
	resp := http.Response{
		StatusCode: http.StatusBadGateway, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header: http.Header{port.ForwardErrorHeader: {textline.Printable(reason.Error(), maxErrorLine)}},
	}
	_ = conn.SetDeadline(time.Now().Add(drainTimeout)) // it fails only when closed
	if resp.Write(conn) != nil {
		return
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, conn)
	}
}
