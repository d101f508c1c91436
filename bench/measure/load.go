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

// Ask asks once and returns what was answered.
type Ask func() (string, error)

// Sample is one request.
type Sample struct {
	Sent    time.Time
	Took    time.Duration
	Answer  string
	Trouble error
}

// Tally is what users got. Safe for concurrent use.
type Tally struct {
	mu      sync.Mutex
	samples []Sample
}

// Users ask at a steady rate until stop is called, whatever they are answered.
func Users(perSecond int, ask ...Ask) (t *Tally, stop func()) {
	t = &Tally{}
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

// Crowd keeps n requests under way for that long.
func Crowd(n int, period time.Duration, ask Ask) *Tally {
	t := &Tally{}
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

func (t *Tally) one(ask Ask) {
	s := Sample{Sent: time.Now()}
	s.Answer, s.Trouble = ask()
	s.Took = time.Since(s.Sent)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.samples = append(t.samples, s)
}

// Samples are all requests that have ended, in the order of their ends.
func (t *Tally) Samples() []Sample {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Sample(nil), t.samples...)
}

// Failed counts what went wrong, and tells the first of it.
func (t *Tally) Failed() (n int, first error) {
	for _, s := range t.Samples() {
		if s.Trouble == nil {
			continue
		}
		if n++; first == nil {
			first = s.Trouble
		}
	}
	return n, first
}

// Took is how long each request took.
func (t *Tally) Took() []time.Duration {
	var took []time.Duration
	for _, s := range t.Samples() {
		took = append(took, s.Took)
	}
	return took
}

// Client asks over connections that stay open, or over a new one each time.
func Client(keepAlive bool, most int) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: most, DisableKeepAlives: !keepAlive}}
}

// Post asks with a JSON document. Another answer than 200 is an error.
func Post(client *http.Client, url, body string) Ask {
	return func() (string, error) {
		resp, err := client.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			return "", innermost(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return "", innermost(err)
		}
		if resp.StatusCode != http.StatusOK {
			return string(text), fmt.Errorf("status %d", resp.StatusCode)
		}
		return string(text), nil
	}
}

// innermost is the reason without the layers around it, which name ports.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
