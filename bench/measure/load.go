package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// RequestFunc sends one request and returns the response.
type RequestFunc func() (string, error)

// Sample is one request.
type Sample struct {
	Start    time.Time
	Latency  time.Duration
	Response string
	Err      error
}

// Results collects the results of requests. It is safe for concurrent use.
type Results struct {
	mu      sync.Mutex
	samples []Sample
}

// ConstantRate sends requests at a constant rate until stop is called, regardless of
// response times.
func ConstantRate(perSecond int, ask ...RequestFunc) (t *Results, stop func()) {
	t = &Results{}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				wg.Go(func() { t.one(ask[n%len(ask)]) })
			}
		}
	})
	return t, func() { cancel(); wg.Wait() }
}

// ConstantConcurrency keeps n requests in flight for the given period.
func ConstantConcurrency(n int, period time.Duration, ask RequestFunc) *Results {
	t := &Results{}
	end := time.Now().Add(period)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for time.Now().Before(end) {
				t.one(ask)
			}
		})
	}
	wg.Wait()
	return t
}

func (t *Results) one(ask RequestFunc) {
	s := Sample{Start: time.Now()}
	s.Response, s.Err = ask()
	s.Latency = time.Since(s.Start)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.samples = append(t.samples, s)
}

// Samples returns all completed requests, in order of completion.
func (t *Results) Samples() []Sample {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Sample(nil), t.samples...)
}

// Failures returns the number of failed requests, and the first error.
func (t *Results) Failures() (n int, first error) {
	for _, s := range t.Samples() {
		if s.Err == nil {
			continue
		}
		if n++; first == nil {
			first = s.Err
		}
	}
	return n, first
}

// Latencies returns the duration of each request.
func (t *Results) Latencies() []time.Duration {
	var took []time.Duration
	for _, s := range t.Samples() {
		took = append(took, s.Latency)
	}
	return took
}

// Client returns a client that keeps connections alive, or opens a new one for each
// request.
func Client(keepAlive bool, most int) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: most, DisableKeepAlives: !keepAlive}}
}

// Post returns a POST of a JSON document. Any status but 200 is an error.
func Post(client *http.Client, url, body string) RequestFunc {
	return func() (string, error) {
		resp, err := client.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			return "", rootCause(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return "", rootCause(err)
		}
		if resp.StatusCode != http.StatusOK {
			return string(text), fmt.Errorf("status %d", resp.StatusCode)
		}
		return string(text), nil
	}
}

// rootCause returns the innermost error: those around it contain ports.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
