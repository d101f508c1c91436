package client

import (
	"context"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Endpoint is how a cluster is reached that no kubeconfig names, such as one of a cloud.
type Endpoint struct {
	Server string // https://...
	CA     []byte // PEM
	// Token returns a bearer token and when it ends.
	Token func(ctx context.Context) (token string, ends time.Time, err error)
}

// ConnectTo returns a client for the endpoint. No request is sent yet.
func ConnectTo(e Endpoint, namespace, title string, transport func(http.RoundTripper) http.RoundTripper) (*Client, error) {
	config := &rest.Config{Host: e.Server, TLSClientConfig: rest.TLSClientConfig{CAData: e.CA}}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &bearer{next: next, fetch: e.Token, now: time.Now}
	})
	if transport != nil {
		config.Wrap(transport)
	}
	return New(config, namespace, title)
}

// renewEarly is how long before its end a token is replaced.
const renewEarly = time.Minute

// bearer adds a token to every request, and renews it in time.
type bearer struct {
	next  http.RoundTripper
	fetch func(context.Context) (string, time.Time, error)
	now   func() time.Time

	mu    sync.Mutex // never held while a token is fetched
	token string
	ends  time.Time
}

// RoundTrip implements http.RoundTripper.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := b.current(r.Context())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return b.next.RoundTrip(r)
}

// WrappedRoundTripper lets client-go find the transport below.
func (b *bearer) WrappedRoundTripper() http.RoundTripper { return b.next }

func (b *bearer) current(ctx context.Context) (string, error) {
	b.mu.Lock()
	token, ends := b.token, b.ends
	b.mu.Unlock()
	if token != "" && b.now().Add(renewEarly).Before(ends) {
		return token, nil
	}
	token, ends, err := b.fetch(ctx)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	b.token, b.ends = token, ends
	b.mu.Unlock()
	return token, nil
}
