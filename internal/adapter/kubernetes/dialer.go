package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/slipway-cd/slipway/internal/fault"
)

// portForward is the protocol's name.
const portForward = portforward.PortForwardProtocolV1Name

// tunnel connects to a pod as kubectl does: over a WebSocket, or by a SPDY
// upgrade where that is refused, by an older API server, a proxy, or a role
// without the verb get on pods/portforward.
func (c *cluster) tunnel(ctx context.Context, pod string) (httpstream.Connection, error) {
	invalid := func(err error) error {
		return fault.New(fault.Invalid, "connect to %s", c.config.Host).Cause(err)
	}
	// Without the retries: a WebSocket's RoundTripper can't be used twice, and
	// tunnels are dialed anew anyway.
	config := rest.CopyConfig(c.plain)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return contextual{ctx, next} })
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, invalid(err)
	}
	at := base.JoinPath(fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/portforward", c.namespace, pod))
	websocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(at, config)
	if err != nil {
		return nil, invalid(err)
	}
	upgrade, err := upgradeDialer(at, config)
	if err != nil {
		return nil, invalid(err)
	}
	var refusal error
	conn, _, err := portforward.NewFallbackDialerForStreaming(websocket, upgrade, func(err error) bool {
		refusal = err
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}).Dial(portForward)
	if err != nil {
		if away(nil, err) {
			c.line.cut()
		}
		return nil, unreachable("forward to pod "+pod, clearer(refusal, err))
	}
	return conn, nil
}

func upgradeDialer(at *url.URL, config *rest.Config) (httpstream.Dialer, error) {
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	return spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, at), nil
}

// clearer returns the first refusal when the second one, which has lost its
// type, says the same.
func clearer(first, second error) error {
	var upgrade *httpstream.UpgradeFailureError
	if errors.As(first, &upgrade) && strings.Contains(second.Error(), upgrade.Cause.Error()) {
		return upgrade.Cause
	}
	return second
}

// contextual sends requests with its context: client-go's dialers have none.
type contextual struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip ends when the context does.
func (c contextual) RoundTrip(req *http.Request) (*http.Response, error) {
	return c.next.RoundTrip(req.WithContext(c.ctx))
}
