// Package opinion asks other programs that imitate AWS (moto and ministack) what they make
// of the requests that the AWS of the tests answers, and compares. They are installed by
// `make aws-opinions`, run on loopback, and are for tests only.
package opinion

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// Client is the HTTP client of an SDK. It sends what is for AWS to one server, and keeps
// what came back. It is safe for concurrent use.
type Client struct {
	server *url.URL // nil: AWS by its names, as send reaches it
	send   func(*http.Request) (*http.Response, error)
	names  *awstest.Cloud // which tells operations apart
	byPath bool           // buckets are in paths: the server's own loses the host's name

	mu      sync.Mutex
	answers []Answer
}

// NewClient makes a client that sends by send, without redirecting anything.
func NewClient(names *awstest.Cloud, send func(*http.Request) (*http.Response, error)) *Client {
	return &Client{names: names, send: send}
}

// Do sends a request.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Hostname(), ".amazonaws.com") {
		return http.DefaultClient.Do(r) //nolint:gosec // a service of the test's own
	}
	body, err := takeBody(r)
	if err != nil {
		return nil, err
	}
	asked := r.Clone(r.Context())
	asked.Host = r.URL.Host
	service, op, known := c.names.Read(asked, body)
	asked.Body = io.NopCloser(bytes.NewReader(body))
	if bucket, rest, ok := strings.Cut(asked.Host, ".s3."); c.byPath && ok && strings.HasSuffix(rest, ".amazonaws.com") {
		asked.URL.Path = "/" + bucket + asked.URL.Path
		if asked.URL.RawPath != "" {
			asked.URL.RawPath = "/" + bucket + asked.URL.RawPath
		}
	}
	if c.server != nil {
		asked.URL.Scheme, asked.URL.Host = c.server.Scheme, c.server.Host
	}
	res, err := c.send(asked)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the response: %w", err)
	}
	res.Body = io.NopCloser(bytes.NewReader(raw))
	if known {
		a := newAnswer(service, op, res, raw)
		c.mu.Lock()
		c.answers = append(c.answers, a)
		c.mu.Unlock()
	}
	return res, nil
}

func takeBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	return body, nil
}

// Take returns what was answered since the last time.
func (c *Client) Take() []Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := slices.Clone(c.answers)
	c.answers = nil
	return taken
}
