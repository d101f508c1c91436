// Command load asks a service at a steady rate, like its users would, until it
// is stopped or its time is over, and prints what it got as one line of JSON:
// requests, failed (no answer, or a status other than 200), milliseconds of the
// median and the 95th percentile, and the first failure.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

type tally struct {
	mu     sync.Mutex
	took   []time.Duration
	failed int
	first  string
}

func main() {
	target := flag.String("url", "", "URL to POST to (loopback only)")
	body := flag.String("body", "", "JSON request body")
	rate := flag.Int("rate", 50, "requests per second")
	once := flag.Bool("once", false, "send one request and print the response")
	limit := flag.Duration("for", 5*time.Minute, "maximum duration")
	flag.Parse()
	if err := loopback(*target); err != nil || *rate < 1 || *rate > 5000 {
		fmt.Fprintln(os.Stderr, "load: set -url to a loopback address and -rate to 1..5000:", err)
		os.Exit(2)
	}
	if *once {
		os.Exit(ask(*target, *body))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	t := &tally{}
	drive(ctx, t, *target, []byte(*body), *rate)
	t.print(os.Stdout)
}

// ask prints one answer: of a GET without a body, else of a POST.
func ask(target, body string) int {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, target, bytes.NewReader([]byte(body)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		return 2
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		return 1
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	fmt.Printf("%s\n", bytes.TrimSpace(answer))
	if err != nil || resp.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, "load: status", resp.StatusCode, err)
		return 1
	}
	return 0
}

// loopback refuses to send load anywhere but to this machine.
func loopback(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return err
	}
	if h := u.Hostname(); h != "127.0.0.1" && h != "localhost" && h != "::1" {
		return fmt.Errorf("host %q is not a loopback address", h)
	}
	return nil
}

func drive(ctx context.Context, t *tally, target string, body []byte, rate int) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			wg.Go(func() { t.one(client, target, body) })
		}
	}
}

func (t *tally) one(client *http.Client, target string, body []byte) {
	start := time.Now()
	trouble := ""
	resp, err := client.Post(target, "application/json", bytes.NewReader(body))
	if err != nil {
		trouble = err.Error()
	} else {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			trouble = fmt.Sprintf("status %d, %v", resp.StatusCode, err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took = append(t.took, time.Since(start))
	if trouble != "" {
		t.failed++
		if t.first == "" {
			t.first = trouble
		}
	}
}

func (t *tally) print(w io.Writer) {
	slices.Sort(t.took)
	at := func(q float64) float64 {
		if len(t.took) == 0 {
			return 0
		}
		return float64(t.took[int(q*float64(len(t.took)-1))].Microseconds()) / 1000
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"requests": len(t.took), "failed": t.failed, "p50_ms": at(0.5), "p95_ms": at(0.95), "first_failure": t.first,
	})
}
