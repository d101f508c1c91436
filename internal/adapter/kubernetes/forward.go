package kubernetes

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
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
		return "", fault.New(fault.Unavailable, "listen for what is forwarded to %s", service).Because(err)
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
		defer mu.Unlock()
		if time.Now().Before(until) {
			return pod, number, nil
		}
		var err error
		if pod, number, err = pick(ctx); err == nil {
			until = time.Now().Add(pickTime)
		}
		return pod, number, err
	}
}

// unforward ends the address of the order's release; without one, all of the
// service's.
func (t *Target) unforward(o port.Order) {
	t.mu.Lock()
	defer t.mu.Unlock()
	prefix := forwardKey(o.Service, o.Environment, o.ID)
	for name, f := range t.forwards {
		if name == prefix || o.ID == "" && len(name) > len(prefix) && name[:len(prefix)] == prefix {
			f.close()
			delete(t.forwards, name)
		}
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
	short, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	pod, number, err := f.pick(short)
	if err != nil {
		return // the caller sees a connection that ends
	}
	up, err := f.tunnels.dial(short, pod, number)
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }() // it may have ended
	end := context.AfterFunc(ctx, func() { conn.Close(); _ = up.Close() })
	defer end()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(up, conn); _ = up.CloseWrite() })
	both.Go(func() { _, _ = io.Copy(conn, up); conn.Close() })
	both.Wait()
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
