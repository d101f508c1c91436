//go:build e2e

package kubernetes_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// disturbance is something that happens in the middle of a deploy.
type disturbance struct {
	name   string
	weight int
	do     func(r *randomRun, kill chan<- struct{})
}

func disturbances() []disturbance {
	return []disturbance{
		{"undisturbed", 6, func(*randomRun, chan<- struct{}) {}},
		{"API server away", 2, func(r *randomRun, _ chan<- struct{}) { r.link.cut(r.moment(2 * time.Second)) }},
		{"API server silent", 2, func(r *randomRun, _ chan<- struct{}) { r.link.hold(r.moment(3 * time.Second)) }},
		{"killed", 3, func(_ *randomRun, kill chan<- struct{}) { close(kill) }},
		{"pod deleted", 2, func(r *randomRun, _ chan<- struct{}) { r.deletePod() }},
		{"scaled by hand", 1, func(r *randomRun, _ chan<- struct{}) { r.scaleByHand() }},
	}
}

func disturbanceNames() []string {
	names := []string{"rollback", "taken back after the switch"}
	for _, d := range disturbances() {
		names = append(names, d.name)
	}
	return names
}

// disturbedWithin is the part of a deploy in which it is disturbed.
const disturbedWithin = 4 * time.Second

// disturb draws a disturbance, and lets it happen in a moment. The function that it
// returns waits until it is over, or prevents it if it is still to come.
func (r *randomRun) disturb() (end func()) {
	sum := 0
	for _, d := range disturbances() {
		sum += d.weight
	}
	n, all := r.random.IntN(sum), disturbances()
	i := 0
	for n >= all[i].weight {
		n -= all[i].weight
		i++
	}
	one, delay := all[i], r.moment(disturbedWithin)
	kill := make(chan struct{})
	r.kill, r.mayLose = kill, one.name == "pod deleted"
	prevent, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-prevent:
		case <-time.After(delay):
			r.t.Logf("%s after %s", one.name, delay)
			r.drawn.add(one.name)
			one.do(r, kill)
		}
	}()
	return func() { close(prevent); <-over; r.kill = nil }
}

func (r *randomRun) moment(within time.Duration) time.Duration {
	return time.Duration(r.random.Int64N(int64(within))).Round(time.Millisecond)
}

// killable returns a context that ends when the process is to die. It dies once.
func (r *randomRun) killable(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	kill := r.kill
	if kill == nil {
		return ctx, cancel
	}
	go func() {
		select {
		case <-ctx.Done():
		case <-kill:
			cancel()
		}
	}()
	return ctx, cancel
}

// deletePod deletes a pod of the service like someone who drains its node.
func (r *randomRun) deletePod() {
	pods := strings.Fields(r.kubectl("-n", r.namespace, "get", "pods", "-l", "app=web", "-o", "name"))
	if len(pods) > 0 {
		r.kubectl("-n", r.namespace, "delete", "--ignore-not-found", "--wait=false", pods[r.random.IntN(len(pods))])
	}
}

func (r *randomRun) scaleByHand() {
	names := strings.Fields(r.kubectl("-n", r.namespace, "get", "deployments", "-o", "name"))
	if len(names) > 0 {
		r.scaled = true
		r.kubectl("-n", r.namespace, "scale", fmt.Sprintf("--replicas=%d", 1+r.random.IntN(3)), names[r.random.IntN(len(names))])
	}
}

// grantCompanions adds what docs/kubernetes-role.yaml leaves to its reader: a rule for
// the kinds that a release has besides those there.
func (r *randomRun) grantCompanions() {
	r.kubectl("-n", r.namespace, "create", "role", "companions", "--verb=get,list,watch,create,patch,delete",
		"--resource=statefulsets.apps", "--resource=daemonsets.apps", "--resource=cronjobs.batch", "--resource=jobs.batch")
	r.kubectl("-n", r.namespace, "create", "rolebinding", "companions", "--role=companions", "--serviceaccount="+r.namespace+":slipway")
}

// apiLink leads the connections of one Slipway to the API server.
type apiLink struct {
	address string // of the API server

	mu     sync.Mutex
	away   bool
	killed bool       // with its Slipway
	held   sync.Mutex // taken while nothing passes
	conns  map[net.Conn]bool
}

// newAPILink makes the namespace's kubeconfig lead through the link.
func newAPILink(t *testing.T, n *testNamespace) *apiLink {
	t.Helper()
	config, err := clientcmd.Load(n.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &apiLink{conns: map[net.Conn]bool{}}
	for _, c := range config.Clusters {
		server, err := url.Parse(c.Server)
		if err != nil {
			t.Fatal(err)
		}
		l.address, c.TLSServerName, c.Server = server.Host, server.Hostname(), "https://"+listener.Addr().String()
	}
	if n.kubeconfig, err = clientcmd.Write(*config); err != nil {
		t.Fatal(err)
	}
	go l.serve(listener)
	t.Cleanup(func() { listener.Close(); l.closeAll() })
	return l
}

func (l *apiLink) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go l.forward(conn)
	}
}

func (l *apiLink) forward(conn net.Conn) {
	defer conn.Close()
	server, err := net.Dial("tcp", l.address)
	if err != nil {
		return
	}
	defer server.Close()
	l.mu.Lock()
	if l.away {
		l.mu.Unlock()
		return
	}
	l.conns[conn] = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, conn)
	}()
	go func() { defer server.Close(); _, _ = io.Copy(gated{l, server}, conn) }()
	_, _ = io.Copy(gated{l, conn}, server)
}

// gated passes nothing on while the link is held.
type gated struct {
	link *apiLink
	io.Writer
}

// Write implements io.Writer.
func (g gated) Write(p []byte) (int, error) {
	g.link.held.Lock()
	g.link.held.Unlock() //nolint:staticcheck // it only waits
	return g.Writer.Write(p)
}

// cut ends all connections, and refuses new ones for a while.
func (l *apiLink) cut(d time.Duration) {
	l.setAway(true)
	l.closeAll()
	time.Sleep(d)
	l.setAway(false)
}

func (l *apiLink) setAway(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away || l.killed
}

// die lets nothing through any more: what is left of a killed process here reaches
// nothing.
func (l *apiLink) die() {
	l.mu.Lock()
	l.killed, l.away = true, true
	l.mu.Unlock()
	l.closeAll()
}

func (l *apiLink) dead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.killed
}

func (l *apiLink) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		conn.Close()
	}
}

// hold makes the API server silent for a while.
func (l *apiLink) hold(d time.Duration) {
	l.held.Lock()
	defer l.held.Unlock()
	time.Sleep(d)
}
