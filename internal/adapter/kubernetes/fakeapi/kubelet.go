package fakeapi

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	kubeportforward "k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
)

// Kubelet is as much of an API server as port-forwards need, with the pods
// behind it.
type Kubelet struct {
	*httptest.Server
	t testing.TB

	WebSocketStatus int    // of the response to a WebSocket request; 0: it is upgraded
	Refusal         string // what pods write on the error stream; "": they echo
	KeepsData       bool   // after a refusal, the stream of the data stays open
	BreakFirst      bool   // the first connection ends with its first stream

	upgrades atomic.Int64
	mu       sync.Mutex
	methods  []string
}

// NewKubelet returns a server whose pods echo.
func NewKubelet(t testing.TB) *Kubelet {
	k := &Kubelet{t: t}
	k.Server = httptest.NewServer(k)
	t.Cleanup(k.CloseClientConnections)
	return k
}

// Client returns a client in namespace ns.
func (k *Kubelet) Client() *client.Client { return ClientAt(k.t, k.URL) }

// ServeHTTP implements http.Handler.
func (k *Kubelet) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	k.mu.Lock()
	k.methods = append(k.methods, req.Method)
	k.mu.Unlock()
	pairs := &pairs{k: k, first: k.upgrades.Load() == 0, errors: map[string]httpstream.Stream{}}
	if req.Method == http.MethodPost {
		k.upgrades.Add(1)
		if _, err := httpstream.Handshake(req, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
			k.t.Error(err)
			return
		}
		conn := spdy.NewResponseUpgrader().UpgradeResponse(w, req, pairs.add)
		pairs.serve(conn)
		return
	}
	if k.WebSocketStatus != 0 {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(k.WebSocketStatus)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":%d,"message":"pods \"a\" is forbidden"}`, k.WebSocketStatus)
		return
	}
	k.upgrades.Add(1)
	up := websocket.Upgrader{Subprotocols: []string{kubeportforward.WebsocketsSPDYTunnelingPortForwardV1}}
	socket, err := up.Upgrade(w, req, nil)
	if err != nil {
		k.t.Error(err)
		return
	}
	conn, err := spdy.NewServerConnection(portforward.NewTunnelingConnection("server", socket), pairs.add)
	if err != nil {
		k.t.Error(err)
		return
	}
	pairs.serve(conn)
}

// Methods returns the methods of the requests.
func (k *Kubelet) Methods() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.methods...)
}

// pairs are the streams of one connection, two for each connection to a port.
type pairs struct {
	k     *Kubelet
	first bool

	mu     sync.Mutex
	conn   httpstream.Connection
	errors map[string]httpstream.Stream // by request ID
}

func (p *pairs) serve(conn httpstream.Connection) {
	if conn == nil {
		p.k.t.Error("no connection")
		return
	}
	p.mu.Lock()
	p.conn = conn
	p.mu.Unlock()
	<-conn.CloseChan()
}

func (p *pairs) add(s httpstream.Stream, replied <-chan struct{}) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.k.BreakFirst && p.first {
		go func() { _ = p.conn.Close() }()
		return nil
	}
	id := s.Headers().Get(corev1.PortForwardRequestIDHeader)
	if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
		p.errors[id] = s
		return nil
	}
	trouble := p.errors[id]
	go func() {
		<-replied
		if p.k.Refusal != "" {
			_, _ = io.WriteString(trouble, p.k.Refusal)
			if !p.k.KeepsData {
				_ = s.Reset()
			}
			_ = trouble.Reset()
			return
		}
		_, _ = io.Copy(s, s)
		_, _ = trouble.Close(), s.Close()
	}()
	return nil
}
