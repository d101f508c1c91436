//go:build linux

package supervisor

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/wait"
)

// probeTimeout is how long a replica may take to respond to a probe.
const probeTimeout = 2 * time.Second

// isReady reports whether a response has a status of success: a service may have
// nothing to say (204).
func isReady(status int) bool { return status >= 200 && status <= 299 }

// endpoint is where a replica is expected to listen.
type endpoint struct {
	container *container.Container
	port      int    // PORT
	fixed     bool   // the service has a fixed port, in a network of its own
	address   string // for the proxy: an address, or only a name if fixed
	readyPath string
	guard     *portGuard // of the port; nil: no other process is in the network
}

// dial connects to a port of the replica.
func (e endpoint) dial(ctx context.Context, port int) (net.Conn, error) {
	if e.guard != nil && port == e.port {
		return e.guard.dial(ctx)
	}
	return e.container.Dial(ctx, port)
}

// client returns a client that requests a port of the replica, whatever the URL
// says.
func (e endpoint) client(port int) *http.Client {
	return &http.Client{
		Timeout: probeTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return e.dial(ctx, port) },
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// url returns the URL of the readiness path on a port.
func (e endpoint) url(port int) string {
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + e.readyPath
}

// stranger describes the process outside of the container that has the replica's
// port, or returns "".
func (e endpoint) stranger() string {
	if e.fixed { // no other process is in its network
		return ""
	}
	return strangerOn("/proc", e.port, e.container)
}

const (
	// strangerInterval is how many wrong responses come between two looks at who
	// gives them. Before a right one counts, it is always checked.
	strangerInterval = 10
	// elsewhereInterval is the time between two looks at whether the service
	// listens on another port.
	elsewhereInterval = 500 * time.Millisecond
	// elsewhereFor is how long it must respond there until that is its failure.
	elsewhereFor = 2 * time.Second
)

// waitReady repeats the request until the replica responds with success, or ctx ends.
// It returns a portTakenError if another process responds in its place, and a
// wrongPortError if the service responds on another port.
func (e endpoint) waitReady(ctx context.Context) (ready bool, problem error) {
	client, responses := e.client(e.port), 0
	elsewhere := elsewhereWatch{endpoint: e}
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		status, _ := requestStatus(ctx, client, e.url(e.port))
		if isReady(status) || status != 0 && responses%strangerInterval == 0 {
			if by := e.confirmStranger(ctx); by != "" {
				return false, &portTakenError{e.port, by}
			}
		}
		if isReady(status) {
			if e.guard != nil {
				e.guard.learn()
			}
			return true, nil
		}
		if status != 0 {
			responses++
		} else if wrong := elsewhere.look(ctx, time.Now()); wrong != nil {
			return false, wrong
		}
		if wait.Sleep(ctx, pause) != nil {
			return false, nil //nolint:nilerr // the container has ended: its exit says why
		}
	}
}

// confirmStranger looks twice: a process may hand its socket on meanwhile.
func (e endpoint) confirmStranger(ctx context.Context) string {
	if e.stranger() == "" || wait.Sleep(ctx, 20*time.Millisecond) != nil {
		return ""
	}
	return e.stranger()
}

// requestStatus returns the status of the response and its content type, or 0
// without one.
func requestStatus(ctx context.Context, client *http.Client, url string) (status int, contentType string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, ""
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // only the status matters
	return resp.StatusCode, resp.Header.Get("Content-Type")
}

// elsewhereWatch finds out whether the service is ready on another port than it
// should be. A listening socket alone proves nothing: metrics and debuggers have
// ports of their own, and may listen long before the model is loaded.
type elsewhereWatch struct {
	endpoint endpoint
	looked   time.Time
	port     int       // where it responds
	since    time.Time // that it does
}

// look returns an error once the service has responded on another port for a
// while.
func (w *elsewhereWatch) look(ctx context.Context, now time.Time) error {
	if now.Sub(w.looked) < elsewhereInterval {
		return nil
	}
	w.looked = now
	listening := w.endpoint.container.Listeners()
	at := w.find(ctx, listening)
	if at == 0 || at != w.port {
		w.port, w.since = at, now
		return nil
	}
	if now.Sub(w.since) < elsewhereFor {
		return nil
	}
	return &wrongPortError{listens: listening, ready: at, expected: w.endpoint.port}
}

// find returns the port on which the service is ready, or 0.
func (w *elsewhereWatch) find(ctx context.Context, listening []container.Listener) int {
	for _, l := range listening {
		if l.Accepts(w.endpoint.port) {
			return 0 // it listens where it should, but does not respond yet
		}
	}
	for _, l := range listening {
		at := int(l.Address.Port())
		if !l.IsLocal() {
			continue
		}
		status, contentType := requestStatus(ctx, w.endpoint.client(at), w.endpoint.url(at))
		if isReady(status) && !isMetrics(contentType) {
			return at
		}
	}
	return 0
}

// isMetrics reports whether a response is that of a Prometheus client, which
// responds to every path.
func isMetrics(contentType string) bool {
	return strings.HasPrefix(contentType, "text/plain; version=") || strings.HasPrefix(contentType, "application/openmetrics-text")
}
