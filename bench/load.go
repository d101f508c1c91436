package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const basket = `{"BASKET_SIZE":"L","BASKET_TYPE":"Full Shop","STORE_REGION":"E02","STORE_FORMAT":"LS","SPEND":12.5,"QUANTITY":3,"PROD_CODE_20":"DEP00001","PROD_CODE_30":"G00001"}`

// tally is what users got.
type tally struct {
	mu     sync.Mutex
	took   []time.Duration
	failed int
	first  string
}

// users ask /predict at a steady rate until stop is called, whatever it answers.
func users(url string, perSecond int) (stop func() *tally) {
	t := &tally{}
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				wg.Go(func() { t.one(client, url) })
			}
		}
	})
	return func() *tally {
		cancel()
		wg.Wait()
		return t
	}
}

// crowd keeps n requests under way for that long.
func crowd(url string, n int, period time.Duration) *tally {
	t := &tally{}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	end := time.Now().Add(period)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for time.Now().Before(end) {
				t.one(client, url)
			}
		})
	}
	wg.Wait()
	return t
}

func (t *tally) one(client *http.Client, url string) {
	start := time.Now()
	trouble := ""
	resp, err := client.Post(url, "application/json", strings.NewReader(basket))
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			trouble = fmt.Sprintf("status %d", resp.StatusCode)
		}
	}
	if err != nil {
		trouble = err.Error()
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
