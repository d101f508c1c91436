package portforward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"
	kubeportforward "k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/fault"
)

// protocol is the name of the port-forward protocol.
const protocol = kubeportforward.PortForwardProtocolV1Name

// connect connects to a pod as kubectl does: over a WebSocket, or by a SPDY upgrade
// where that is refused, by an older API server, a proxy, or a role without the verb
// get on pods/portforward.
func connect(ctx context.Context, c *client.Client, pod string) (httpstream.Connection, error) {
	config := c.UpgradeConfig()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return contextTransport{ctx, next} })
	invalid := func(err error) error {
		return fault.New(fault.Invalid, "connect to %s", config.Host).Cause(err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, invalid(err)
	}
	address := base.JoinPath(fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/portforward", c.Namespace(), pod))
	webSocket, err := kubeportforward.NewSPDYOverWebsocketDialerForStreaming(address, config)
	if err != nil {
		return nil, invalid(err)
	}
	upgrade, err := upgradeDialer(address, config)
	if err != nil {
		return nil, invalid(err)
	}
	var refusal error
	conn, _, err := kubeportforward.NewFallbackDialerForStreaming(webSocket, upgrade, func(err error) bool {
		refusal = err
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}).Dial(protocol)
	if err != nil {
		c.ObserveError(err)
		return nil, client.Explain("forward to pod "+pod, typedError(refusal, err))
	}
	return conn, nil
}

func upgradeDialer(address *url.URL, config *rest.Config) (httpstream.Dialer, error) {
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	return spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, address), nil
}

// typedError returns the WebSocket's refusal if SPDY's says the same: SPDY's is text
// without a type.
func typedError(webSocket, spdy error) error {
	var upgrade *httpstream.UpgradeFailureError
	if errors.As(webSocket, &upgrade) && strings.Contains(spdy.Error(), upgrade.Cause.Error()) {
		return upgrade.Cause
	}
	return spdy
}

// contextTransport sends requests with its context: client-go's dialers have none.
type contextTransport struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip ends when the context does.
func (t contextTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.next.RoundTrip(req.WithContext(t.ctx))
}
