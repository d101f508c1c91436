package jobrunner

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/wait"
)

const (
	maxLog      = 64 << 20
	maxLogDelay = 15 * time.Second // between the end of a command and that of its log
	logPause    = time.Second      // before a log that broke off is read again
)

// log is what a job printed, with Slipway's notes about its pod.
type log struct {
	mu    sync.Mutex
	text  []byte
	read  int64 // bytes of the container's log
	last  string
	cut   bool
	ended chan struct{} // nil: it is not followed yet
}

// from returns what there is from a byte on.
func (l *log) from(offset int64) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset < 0 || offset >= int64(len(l.text)) {
		return nil
	}
	return l.text[offset:len(l.text):len(l.text)]
}

// note adds a line of Slipway's own, unless it is the last one.
func (l *log) note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last != text {
		l.last = text
		l.text = fmt.Appendf(l.text, "slipway: %s\n", text)
	}
}

// Write adds what the container printed.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read += int64(len(p))
	switch {
	case l.cut:
	case len(l.text)+len(p) <= maxLog:
		l.text = append(l.text, p...)
	default:
		l.cut = true
		l.text = fmt.Appendf(l.text, "\nslipway: more than %d MiB were printed; the rest is left out here, and in the pod's log\n", maxLog>>20)
	}
	return len(p), nil
}

// follow reads a container's log in the background until it ends; ctx is that of the
// process. A log that breaks off is read again, without what was read of it.
func (l *log) follow(ctx context.Context, c *client.Client, from client.Log) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		return
	}
	l.ended = make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		for {
			if done := l.copy(ctx, c, from); done || wait.Sleep(ctx, logPause) != nil {
				return
			}
		}
	}(l.ended)
}

// copy reports whether the log was read to its end.
func (l *log) copy(ctx context.Context, c *client.Client, from client.Log) bool {
	stream, err := c.FollowLog(ctx, from)
	if err != nil {
		return ctx.Err() != nil
	}
	defer stream.Close()
	l.mu.Lock()
	known := l.read
	l.mu.Unlock()
	if _, err := io.CopyN(io.Discard, stream, known); err != nil {
		return false
	}
	_, err = io.Copy(l, stream)
	return err == nil
}

// await waits for the end of the log, for a while.
func (l *log) await(ctx context.Context, atMost time.Duration) {
	l.mu.Lock()
	ended := l.ended
	l.mu.Unlock()
	if ended == nil {
		return
	}
	select {
	case <-ended:
	case <-ctx.Done():
	case <-time.After(atMost):
	}
}
