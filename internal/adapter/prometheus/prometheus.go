// Package prometheus implements port.Metrics with the HTTP API of Prometheus.
package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/redact"
	"github.com/slipway-cd/slipway/internal/textline"
)

// TokenVariable is the environment variable with the bearer token, for servers
// that require one.
const TokenVariable = "SLIPWAY_PROMETHEUS_TOKEN"

const (
	maxBody      = 1 << 20
	timeout      = 10 * time.Second
	maxErrorText = 300 // characters of an error from the server
)

// Client queries Prometheus servers. It is safe for concurrent use.
type Client struct {
	token  string
	client *http.Client
}

var _ port.MetricsProvider = (*Client)(nil)

// New returns a client that sends the bearer token; an empty one is not sent.
// Redirects are not followed: the token is for that server only.
func New(token string) *Client {
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{token: token, client: &http.Client{Timeout: timeout, CheckRedirect: noRedirect}}
}

// Query evaluates an expression at the server's current time. It returns
// fault.Invalid for an expression that the server rejects, and fault.Denied for
// rejected credentials.
func (p *Client) Query(ctx context.Context, address, expression string) (float64, bool, error) {
	at, err := endpoint(address)
	if err != nil {
		return 0, false, err
	}
	value, ok, err := p.query(ctx, at, expression)
	if ctx.Err() != nil {
		return 0, false, fmt.Errorf("query %s: %w", at.Redacted(), context.Cause(ctx))
	}
	return value, ok, err
}

// endpoint returns the URL of the query API. Its errors do not repeat the
// address, which may contain a password.
func endpoint(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fault.New(fault.Invalid, "the address of Prometheus is not an http(s) URL").Hint("use an address such as http://prometheus.monitoring:9090")
	}
	u = u.JoinPath("api/v1/query")
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

func (p *Client) query(ctx context.Context, at *url.URL, expression string) (float64, bool, error) {
	target := *at
	target.RawQuery = url.Values{"query": {expression}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return 0, false, fault.New(fault.Invalid, "query %s", at.Redacted())
	}
	req.Header.Set("Accept", "application/json")
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, false, fault.New(fault.Unavailable, "query %s", at.Redacted()).Cause(describeError(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return 0, false, fault.New(fault.Unavailable, "read the response of %s", at.Redacted()).Cause(describeError(err))
	case len(body) > maxBody:
		return 0, false, fault.New(fault.Invalid, "query %q returned more than %d bytes", short(expression), maxBody).
			Hint("reduce the result to one value: sum(...), max(...)")
	}
	return parseResponse(resp.StatusCode, body, at.Redacted(), expression)
}

// describeError drops the address and the query, which net/http adds to its
// errors, and replaces the text of a timeout.
func describeError(err error) error {
	var e *url.Error
	if errors.As(err, &e) && e.Timeout() {
		return errors.New("no response within " + timeout.String())
	}
	return redact.WithoutURL(err)
}

// envelope is a response of the API.
type envelope struct {
	Status string `json:"status"` // success | error
	Type   string `json:"errorType"`
	Error  string `json:"error"`
	Data   struct {
		Type   string          `json:"resultType"` // scalar | vector | matrix | string
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

func parseResponse(status int, body []byte, at, expression string) (float64, bool, error) {
	var e envelope
	err := json.Unmarshal(body, &e)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return 0, false, fault.New(fault.Denied, "query %s: status %d", at, status).Hint("set %s to a token with permission to query", TokenVariable)
	case err == nil && e.Type == "bad_data":
		return 0, false, fault.New(fault.Invalid, "query %q: %s", short(expression), short(e.Error)).Hint("try the query in the Prometheus web UI")
	case err == nil && e.Status == "error":
		return 0, false, fault.New(fault.Unavailable, "query %q: %s: %s", short(expression), short(e.Type), short(e.Error))
	case status < 200 || status > 299:
		return 0, false, fault.New(fault.Unavailable, "query %s: status %d", at, status).Hint("check that this is the address of a Prometheus server")
	case err != nil || e.Status != "success":
		return 0, false, fault.New(fault.Unavailable, "query %s: the response is not from the Prometheus API", at).Hint("check that this is the address of a Prometheus server")
	}
	value, ok, err := parseResult(e.Data.Type, e.Data.Result)
	if err != nil {
		return 0, false, fault.New(fault.Invalid, "query %q", short(expression)).Hint("reduce the result to one value: sum(...), max(...)").Cause(err)
	}
	return value, ok, nil
}

// short cuts text from the server to one line of limited length.
func short(s string) string { return textline.Printable(s, maxErrorText) }

// parseResult returns a scalar, or the only sample of a vector.
func parseResult(kind string, result json.RawMessage) (float64, bool, error) {
	switch kind {
	case "scalar":
		return parseSample(result)
	case "vector":
		var samples []struct {
			Value json.RawMessage `json:"value"` // missing: a native histogram
		}
		if err := json.Unmarshal(result, &samples); err != nil {
			return 0, false, errors.New("the vector is malformed")
		}
		switch {
		case len(samples) == 0:
			return 0, false, nil
		case len(samples) > 1:
			return 0, false, fmt.Errorf("it returned %d values instead of one", len(samples))
		case samples[0].Value == nil:
			return 0, false, errors.New("it returned a histogram instead of one value")
		}
		return parseSample(samples[0].Value)
	}
	return 0, false, fmt.Errorf("it returned a %q instead of one value", short(kind))
}
