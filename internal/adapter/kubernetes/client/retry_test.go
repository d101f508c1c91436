package client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// response is that of one attempt: a status, or an error.
type response struct {
	status int
	err    error
}

// scripted returns one response after the other, and status 200 from then on.
type scripted struct {
	responses []response
	bodies    []string // of the requests, one for each attempt
}

func (p *scripted) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	n := len(p.bodies)
	p.bodies = append(p.bodies, string(body))
	next := response{status: http.StatusOK}
	if n < len(p.responses) {
		next = p.responses[n]
	}
	if next.err != nil {
		return nil, next.err
	}
	return &http.Response{StatusCode: next.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("content")), Request: req}, nil
}

func TestRetrier_RepeatsWhileUnavailable(t *testing.T) {
	for _, c := range []struct {
		name      string
		responses []response
		tries     int // attempts in all
		last      int // status in the end; 0: an error
	}{
		{"available", nil, 1, 200},
		{"refused", []response{{err: syscall.ECONNREFUSED}}, 2, 200},
		{"reset", []response{{err: syscall.ECONNRESET}}, 2, 200},
		{"unexpected EOF", []response{{err: io.ErrUnexpectedEOF}}, 2, 200},
		{"load balancer without a server", []response{{status: 502}, {status: 503}}, 3, 200},
		{"gateway timeout", []response{{status: 504}}, 2, 200},
		{"broken pipe", []response{{err: &net.OpError{Op: "write", Err: syscall.EPIPE}}}, 2, 200},
		{"refused by a rule", []response{{err: &net.OpError{Op: "dial", Err: syscall.EACCES}}}, 1, 0},
		{"other error", []response{{err: errors.New("x509: unknown authority")}}, 1, 0},
		{"server error", []response{{status: 500}}, 1, 500},
		{"not found", []response{{status: 404}}, 1, 404},
		{"conflict", []response{{status: 409}}, 1, 409},
		{"forbidden", []response{{status: 403}}, 1, 403},
		{"forbidden while it warms up", []response{{status: 503}, {status: 403}}, 3, 200},
		{"too many requests", []response{{status: 429}}, 1, 429}, // client-go knows how to wait
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &scripted{responses: c.responses}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "http://cluster/x", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := retrier{p, new(link)}.RoundTrip(req)
			status := 0
			if err == nil {
				status = resp.StatusCode
				resp.Body.Close()
			}
			if status != c.last || (err != nil) != (c.last == 0) {
				t.Errorf("status = %d, error = %v; want status %d", status, err, c.last)
			}
			if len(p.bodies) != c.tries {
				t.Errorf("%d requests, want %d", len(p.bodies), c.tries)
			}
			for i, body := range p.bodies {
				if body != "body" {
					t.Errorf("attempt %d sent %q", i+1, body)
				}
			}
		})
	}
}

// TestRetrier_RepeatsTruncatedResponse: a response that breaks off is requested again;
// what is a stream is handed on as it comes.
func TestRetrier_RepeatsTruncatedResponse(t *testing.T) {
	const whole = `{"items":[]}`
	for _, c := range []struct {
		name, method, path string
		broken             string // the response that comes first
		want               string
		tries              int64
	}{
		{"list", http.MethodGet, "/api/v1/pods", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", whole, 2},
		{"list in chunks", http.MethodGet, "/api/v1/pods", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", whole, 2},
		{"write", http.MethodPatch, "/api/v1/pods/a", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", whole, 2},
		{"refusal", http.MethodGet, "/api/v1/pods", "HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n{", whole, 2},
		{"watch", http.MethodGet, "/api/v1/pods?watch=true", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "{", 1},
		{"log", http.MethodGet, "/api/v1/namespaces/ns/pods/a/log", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "{", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if body, _ := io.ReadAll(req.Body); string(body) != "body" {
					t.Errorf("sent %q, want body", body)
				}
				if requests.Add(1) > 1 {
					_, _ = io.WriteString(w, whole)
					return
				}
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, c.broken)
				conn.Close()
			}))
			defer server.Close()
			req, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := retrier{http.DefaultTransport, new(link)}.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if string(body) != c.want || (err != nil) != (c.tries == 1) {
				t.Errorf("body = %q, %v; want %q", body, err, c.want)
			}
			if n := requests.Load(); n != c.tries {
				t.Errorf("%d requests, want %d", n, c.tries)
			}
		})
	}
}

// TestRetrier_SendsUnreplayableBodyOnce: a body that cannot be read again is sent once.
func TestRetrier_SendsUnreplayableBodyOnce(t *testing.T) {
	p := &scripted{responses: []response{{status: 503}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://cluster/x", io.NopCloser(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := retrier{p, new(link)}.RoundTrip(req)
	if err != nil || resp.StatusCode != 503 || len(p.bodies) != 1 {
		t.Errorf("response %v, error %v after %d attempts; want status 503 after 1", resp, err, len(p.bodies))
	}
}

// TestRetrier_EndsWithContext: no request follows the end of the context.
func TestRetrier_EndsWithContext(t *testing.T) {
	why := errors.New("the run was stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		if requests.Add(1) == 2 {
			cancel(why)
		}
	}))
	defer server.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := retrier{http.DefaultTransport, new(link)}.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want %v", err, why)
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// TestLink_ObservesClock: the cluster's clock counts when it is noticeably off.
func TestLink_ObservesClock(t *testing.T) {
	for _, c := range []struct {
		name      string
		date      string
		tolerance time.Duration
		want      time.Duration
	}{
		{"ahead", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 2 * time.Second, time.Hour},
		{"behind", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 2 * time.Second, -time.Hour},
		{"same", time.Now().UTC().Format(http.TimeFormat), 0, 0},
		{"none", "", 0, 0},
		{"malformed", "tomorrow", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := new(link)
			l.observeClock(&http.Response{Header: http.Header{"Date": {c.date}}})
			if got := l.clockSkew(); (got - c.want).Abs() > c.tolerance {
				t.Errorf("skew = %s, want %s", got, c.want)
			}
		})
	}
	new(link).observeClock(nil) // no response
}
