package kubernetes

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// trip is one attempt's answer: a status, or an error.
type trip struct {
	status int
	err    error
}

// played answers with one trip after the other, and with 200 from then on.
type played struct {
	trips  []trip
	bodies []string // that came, one for each attempt
}

func (p *played) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	n := len(p.bodies)
	p.bodies = append(p.bodies, string(body))
	at := trip{status: http.StatusOK}
	if n < len(p.trips) {
		at = p.trips[n]
	}
	if at.err != nil {
		return nil, at.err
	}
	return &http.Response{StatusCode: at.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("said")), Request: req}, nil
}

func TestRetry(t *testing.T) {
	for _, c := range []struct {
		name  string
		trips []trip
		tries int // attempts in all
		last  int // status in the end; 0: an error
	}{
		{"fine", nil, 1, 200},
		{"refused", []trip{{err: syscall.ECONNREFUSED}}, 2, 200},
		{"reset", []trip{{err: syscall.ECONNRESET}}, 2, 200},
		{"ended in the middle", []trip{{err: io.ErrUnexpectedEOF}}, 2, 200},
		{"a load balancer without a server", []trip{{status: 502}, {status: 503}}, 3, 200},
		{"a gateway that waited in vain", []trip{{status: 504}}, 2, 200},
		{"another error", []trip{{err: errors.New("x509: unknown authority")}}, 1, 0},
		{"the server's own answer", []trip{{status: 500}}, 1, 500},
		{"not found", []trip{{status: 404}}, 1, 404},
		{"conflict", []trip{{status: 409}}, 1, 409},
		{"forbidden", []trip{{status: 403}}, 1, 403},
		{"forbidden by one that wakes up", []trip{{status: 503}, {status: 403}}, 3, 200},
		{"too many", []trip{{status: 429}}, 1, 429}, // client-go knows how to wait
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &played{trips: c.trips}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "http://cluster/x", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := retrying{p, new(line)}.RoundTrip(req)
			status := 0
			if err == nil {
				status = resp.StatusCode
				resp.Body.Close()
			}
			if status != c.last || (err != nil) != (c.last == 0) {
				t.Errorf("status %d, %v; want %d", status, err, c.last)
			}
			if len(p.bodies) != c.tries {
				t.Errorf("asked %d times, want %d", len(p.bodies), c.tries)
			}
			for i, body := range p.bodies {
				if body != "body" {
					t.Errorf("attempt %d sent %q", i+1, body)
				}
			}
		})
	}
}

// TestRetry_RepeatsBrokenBody: a response that breaks off is asked for again;
// what is a stream is handed on as it comes.
func TestRetry_RepeatsBrokenBody(t *testing.T) {
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
			var asked atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if body, _ := io.ReadAll(req.Body); string(body) != "body" {
					t.Errorf("sent %q, want body", body)
				}
				if asked.Add(1) > 1 {
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
			resp, err := retrying{http.DefaultTransport, new(line)}.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if string(body) != c.want || (err != nil) != (c.tries == 1) {
				t.Errorf("body = %q, %v; want %q", body, err, c.want)
			}
			if n := asked.Load(); n != c.tries {
				t.Errorf("asked %d times, want %d", n, c.tries)
			}
		})
	}
}

// TestRetryUnreplayable: a body that can't be read again is sent once.
func TestRetryUnreplayable(t *testing.T) {
	p := &played{trips: []trip{{status: 503}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://cluster/x", io.NopCloser(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := retrying{p, new(line)}.RoundTrip(req)
	if err != nil || resp.StatusCode != 503 || len(p.bodies) != 1 {
		t.Errorf("%v, %v after %d attempts", resp, err, len(p.bodies))
	}
}

// TestRetryGivesUp: when nobody waits for the answer any more, nobody asks.
func TestRetryGivesUp(t *testing.T) {
	why := errors.New("the run was stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		if asked.Add(1) == 2 {
			cancel(why)
		}
	}))
	defer server.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := retrying{http.DefaultTransport, new(line)}.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want %v", err, why)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

// TestClock: the cluster's clock counts when it is noticeably off.
func TestClock(t *testing.T) {
	for _, c := range []struct {
		name   string
		date   string
		atMost time.Duration // of the difference to want
		want   time.Duration
	}{
		{"ahead", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 2 * time.Second, time.Hour},
		{"behind", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 2 * time.Second, -time.Hour},
		{"as ours", time.Now().UTC().Format(http.TimeFormat), 0, 0},
		{"none", "", 0, 0},
		{"nonsense", "tomorrow", 0, 0},
	} {
		s := new(line)
		s.note(&http.Response{Header: http.Header{"Date": {c.date}}})
		if got := time.Duration(s.ahead.Load()); (got - c.want).Abs() > c.atMost {
			t.Errorf("%s: %s ahead, want %s", c.name, got, c.want)
		}
	}
	new(line).note(nil) // no answer
}
