package kubernetes

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream" //nolint:staticcheck // client-go's own functions still return it
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport/spdy"

	"github.com/slipway-cd/slipway/internal/fault"
)

// portForward is the protocol's name.
const portForward = "portforward.k8s.io"

// tunnels are connections to pods through the API server, one for each pod; many
// conversations share one.
type tunnels struct {
	c *cluster

	mu   sync.Mutex
	open map[string]*tunnel
}

type tunnel struct {
	conn httpstream.Connection
	next int
}

func newTunnels(c *cluster) *tunnels { return &tunnels{c: c, open: map[string]*tunnel{}} }

func (t *tunnels) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.open {
		_ = one.conn.Close() // it may have broken
	}
	t.open = map[string]*tunnel{}
}

// stream is one conversation.
type stream struct {
	httpstream.Stream
	trouble httpstream.Stream
}

// CloseWrite tells the pod that nothing more comes.
func (s stream) CloseWrite() error { return s.Stream.Close() }

// Close ends both directions.
func (s stream) Close() error {
	_ = s.trouble.Reset() // it may have ended
	return s.Reset()
}

// dial begins a conversation with a port of a pod. A tunnel that has broken is
// made anew, once.
func (t *tunnels) dial(ctx context.Context, pod string, port int) (stream, error) {
	for fresh := false; ; fresh = true {
		s, err := t.begin(ctx, pod, port, fresh)
		if err == nil || fresh || ctx.Err() != nil {
			return s, err
		}
	}
}

func (t *tunnels) begin(ctx context.Context, pod string, port int, fresh bool) (stream, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.open[pod]
	if ok && fresh {
		_ = one.conn.Close() // that is why it is made anew
		ok = false
	}
	if !ok {
		conn, err := t.c.tunnel(ctx, pod)
		if err != nil {
			return stream{}, err
		}
		one = &tunnel{conn: conn}
		t.open[pod] = one
	}
	one.next++
	return one.stream(port)
}

func (t *tunnel) stream(port int) (stream, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(t.next))
	trouble, err := t.conn.CreateStream(headers)
	if err != nil {
		return stream{}, fmt.Errorf("open a conversation: %w", err)
	}
	_ = trouble.Close() // we only listen on it
	go func() { _, _ = io.Copy(io.Discard, trouble) }()
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := t.conn.CreateStream(headers)
	if err != nil {
		_ = trouble.Reset()
		return stream{}, fmt.Errorf("open a conversation: %w", err)
	}
	return stream{data, trouble}, nil
}

// tunnel connects to a pod.
func (c *cluster) tunnel(ctx context.Context, pod string) (httpstream.Connection, error) {
	config := rest.CopyConfig(c.config)
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, fault.New(fault.Invalid, "connect to %s", c.config.Host).Because(err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fault.New(fault.Invalid, "connect to %s", c.config.Host).Because(err)
	}
	at := base.JoinPath(fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/portforward", c.namespace, pod))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("forward to %s: %w", pod, err)
	}
	conn, _, err := spdy.Negotiate(upgrader, &http.Client{Transport: transport}, req, portForward)
	if err != nil {
		return nil, unreachable("forward to pod "+pod, err)
	}
	return conn, nil
}
