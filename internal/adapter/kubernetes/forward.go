package kubernetes

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// forward is a loopback address behind which, through the API server, pods of
// one release answer: or those that the Service selects at that moment.
type forward struct {
	listener net.Listener
	tunnels  *tunnels
	pick     func(ctx context.Context) (pod string, port int, err error)
	stop     context.CancelFunc
	url      string
}

func forwardKey(service string, env delivery.Environment, id delivery.ReleaseID) string {
	return service + "/" + string(env) + "/" + string(id)
}

// forwardTo is the address for a release's pods; an empty id: for the Service's.
// It stays the same for as long as the process lives.
// The release's own Services tell its port when there is no live one yet.
func (t *Target) forwardTo(c *cluster, service string, env delivery.Environment, id delivery.ReleaseID, own []*unstructured.Unstructured) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := forwardKey(service, env, id)
	if f, ok := t.forwards[name]; ok {
		return f.url, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fault.New(fault.Unavailable, "listen for what is forwarded to %s", service).Cause(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &forward{listener: l, tunnels: newTunnels(c), stop: stop, url: "http://" + l.Addr().String()}
	f.pick = func(ctx context.Context) (string, int, error) { return c.pick(ctx, service, env, id, own) }
	if id != "" {
		f.pick = remembered(f.pick)
	}
	t.forwards[name] = f
	go f.serve(ctx)
	return f.url, nil
}

// pickTime is how long a choice among the pods of one release is good. Whom a
// Service selects is asked each time: that is what is to be found out.
const pickTime = time.Second

func remembered(pick func(context.Context) (string, int, error)) func(context.Context) (string, int, error) {
	var mu sync.Mutex
	var until time.Time
	var pod string
	var number int
	return func(ctx context.Context) (string, int, error) {
		mu.Lock()
		p, n, good := pod, number, time.Now().Before(until)
		mu.Unlock()
		if good {
			return p, n, nil
		}
		p, n, err := pick(ctx) // without the lock: each caller has its own patience
		if err == nil {
			mu.Lock()
			pod, number, until = p, n, time.Now().Add(pickTime)
			mu.Unlock()
		}
		return p, n, err
	}
}

// unforward ends the address of the order's release; without one, all of the
// service's.
func (t *Target) unforward(o port.DeployRequest) {
	prefix := forwardKey(o.Service, o.Environment, o.ID)
	var ended []*forward
	t.mu.Lock()
	for name, f := range t.forwards {
		if name == prefix || o.ID == "" && strings.HasPrefix(name, prefix) {
			ended = append(ended, f)
			delete(t.forwards, name)
		}
	}
	t.mu.Unlock()
	for _, f := range ended {
		f.close()
	}
}

func (f *forward) close() {
	f.stop()
	f.listener.Close()
	f.tunnels.close()
}

func (f *forward) serve(ctx context.Context) {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		go f.handle(ctx, conn)
	}
}

// connectTime is how long it may take to find a pod that answers.
const connectTime = 10 * time.Second

func (f *forward) handle(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	up, err := f.dial(ctx)
	if err != nil {
		refuse(conn, err)
		return
	}
	defer func() { _ = up.Close() }()
	end := context.AfterFunc(ctx, func() { conn.Close(); _ = up.Close() })
	defer end()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(up, conn); _ = up.CloseWrite() })
	both.Go(func() {
		var refused podError
		if n, err := io.Copy(conn, up); n == 0 && errors.As(err, &refused) {
			refuse(conn, refused)
		}
		conn.Close()
	})
	both.Wait()
}

func (f *forward) dial(ctx context.Context) (*stream, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	pod, number, err := f.pick(ctx)
	if err != nil {
		return nil, err
	}
	return f.tunnels.dial(ctx, pod, number)
}

// drainTime is how long is waited for the rest of a request that was refused.
const drainTime = time.Second

// refuse tells the one who asks why no pod answers. The request is read to its
// end: closing before that would take the answer back.
func refuse(conn net.Conn, why error) {
	resp := http.Response{
		StatusCode: http.StatusBadGateway, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header: http.Header{port.ForwardErrorHeader: {printable(why.Error())}},
	}
	_ = conn.SetDeadline(time.Now().Add(drainTime)) // it fails only when closed
	if resp.Write(conn) != nil {
		return
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, conn)
	}
}

var errNoPod = errors.New("no pod is ready")

// pick chooses a ready pod at random, as a Service does.
func (c *cluster) pick(ctx context.Context, service string, env delivery.Environment, id delivery.ReleaseID, own []*unstructured.Unstructured) (string, int, error) {
	s, err := c.state(ctx, service, env)
	if err != nil {
		return "", 0, err
	}
	found, err := c.podsOf(ctx, service, env)
	if err != nil {
		return "", 0, err
	}
	var ready []corev1.Pod
	for _, pod := range found {
		if podReady(pod) && (id == "" && selected(s.entries, pod) || id != "" && releaseOf(pod) == id) {
			ready = append(ready, pod)
		}
	}
	if len(ready) == 0 {
		return "", 0, errNoPod
	}
	pod := ready[rand.IntN(len(ready))] //nolint:gosec // which pod answers is no secret
	if number := portOf(append(own, s.entries...), pod); number != 0 {
		return pod.Name, number, nil
	}
	return "", 0, errNoPod
}

func selected(entries []*unstructured.Unstructured, pod corev1.Pod) bool {
	for _, svc := range entries {
		selector, _, _ := unstructured.NestedStringMap(svc.Object, "spec", "selector")
		all := len(selector) > 0
		for k, v := range selector {
			all = all && pod.Labels[k] == v
		}
		if all {
			return true
		}
	}
	return false
}

// portOf is where the pod answers: a Service's target, or else the first port
// that a container names.
func portOf(entries []*unstructured.Unstructured, pod corev1.Pod) int {
	for _, svc := range entries {
		if n := targetPort(svc, pod); n != 0 {
			return n
		}
	}
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			return int(p.ContainerPort)
		}
	}
	return 0
}
