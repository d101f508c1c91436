package kubernetes

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	kubeportforward "k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// fakeKubelet is as much of an API server as port-forwards need, with the pods
// behind it.
type fakeKubelet struct {
	*httptest.Server
	t testing.TB

	webSocketStatus int    // the answer to a WebSocket's request; 0: it is upgraded
	refusal         string // what pods write on the error stream; "": they echo
	breakFirst      bool   // the first connection ends with its first stream

	upgrades atomic.Int64
	mu       sync.Mutex
	methods  []string
}

func newFakeKubelet(t testing.TB) *fakeKubelet {
	k := &fakeKubelet{t: t}
	k.Server = httptest.NewServer(k)
	t.Cleanup(k.CloseClientConnections)
	return k
}

func (k *fakeKubelet) cluster() *cluster { return clusterAt(k.t, k.URL) }

// clusterAt is a connection to the server at url.
func clusterAt(t testing.TB, url string) *cluster {
	t.Helper()
	plain := &rest.Config{Host: url, QPS: -1}
	config := rest.CopyConfig(plain)
	way := new(line)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return retrying{next, way} })
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{config: config, plain: plain, client: client, namespace: "ns", where: "namespace ns", line: way}
}

func (k *fakeKubelet) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	k.mu.Lock()
	k.methods = append(k.methods, req.Method)
	k.mu.Unlock()
	pairs := &pairs{k: k, first: k.upgrades.Load() == 0, errors: map[string]httpstream.Stream{}}
	if req.Method == http.MethodPost {
		k.upgrades.Add(1)
		if _, err := httpstream.Handshake(req, w, []string{portForward}); err != nil {
			k.t.Error(err)
			return
		}
		conn := spdy.NewResponseUpgrader().UpgradeResponse(w, req, pairs.add)
		pairs.serve(conn)
		return
	}
	if k.webSocketStatus != 0 {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(k.webSocketStatus)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":%d,"message":"pods \"a\" is forbidden"}`, k.webSocketStatus)
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

func (k *fakeKubelet) asked() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.methods...)
}

// pairs are the streams of one connection, two for each connection to a port.
type pairs struct {
	k     *fakeKubelet
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
	if p.k.breakFirst && p.first {
		go p.conn.Close()
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
		if p.k.refusal != "" {
			_, _ = io.WriteString(trouble, p.k.refusal)
			_, _ = s.Reset(), trouble.Reset()
			return
		}
		_, _ = io.Copy(s, s)
		_, _ = trouble.Close(), s.Close()
	}()
	return nil
}

// rawServer accepts connections and leaves them to serve.
func rawServer(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			go serve(c)
		}
	}()
	return "http://" + l.Addr().String()
}
