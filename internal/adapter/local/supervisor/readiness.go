//go:build linux

package supervisor

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/slipway-cd/slipway/internal/wait"
)

// prober waits until a replica is ready.
type prober struct {
	url string
	// stranger describes the process that has the replica's port, or returns "".
	stranger func() string
}

// strangerInterval is how many wrong responses come between two looks at who
// gives them. Before a right one counts, it is always checked.
const strangerInterval = 10

// isReady reports whether a response has a status of success: a service may have
// nothing to say (204).
func isReady(status int) bool { return status >= 200 && status <= 299 }

// wait repeats the request until the replica responds with success, another process
// responds in its place, or ctx ends.
func (p prober) wait(ctx context.Context) (ready bool, stranger string) {
	client := http.Client{
		Timeout:       2 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	responses := 0
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		status := requestStatus(ctx, &client, p.url)
		if isReady(status) || status != 0 && responses%strangerInterval == 0 {
			if by := p.confirmStranger(ctx); by != "" {
				return false, by
			}
		}
		if isReady(status) {
			return true, ""
		}
		if status != 0 {
			responses++
		}
		if wait.Sleep(ctx, pause) != nil {
			return false, ""
		}
	}
}

// confirmStranger looks twice: a process may hand its socket on meanwhile.
func (p prober) confirmStranger(ctx context.Context) string {
	if p.stranger() == "" || wait.Sleep(ctx, 20*time.Millisecond) != nil {
		return ""
	}
	return p.stranger()
}

// requestStatus returns the status of the response, or 0 without one.
func requestStatus(ctx context.Context, client *http.Client, url string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // only the status matters
	return resp.StatusCode
}
