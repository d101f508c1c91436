package sigstore

import (
	"context"
	"io"
	"net/http"
)

// boundTransport ends requests with a context: the library makes some without one.
type boundTransport struct {
	ctx  context.Context //nolint:containedctx // of the call that makes it; the library has none
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t boundTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	stop := context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })
	end := func() { stop(); cancel(nil) }
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	resp.Body = boundBody{resp.Body, end}
	return resp, nil
}

// boundBody is a body that is bound to a context until it is closed.
type boundBody struct {
	io.ReadCloser
	end func()
}

// Close implements io.Closer.
func (b boundBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
