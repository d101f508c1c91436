package oci

import (
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-cd/slipway/internal/port"
)

// pollInterval is how often the size of a file in progress is read.
const pollInterval = 100 * time.Millisecond

// progressTransport counts what a push sends, and what the registry says it has already.
// The library's own progress panics when an upload is cut off: a request's body
// may be read for a while after the request has failed.
type progressTransport struct {
	next   http.RoundTripper
	report port.Progress

	mu       sync.Mutex
	total    int64
	done     int64
	reported int64
	ended    bool
}

func newProgressTransport(next http.RoundTripper, p port.Progress, parts []v1.Descriptor) *progressTransport {
	m := &progressTransport{next: next, report: p}
	for _, part := range parts {
		m.total += part.Size
	}
	return m
}

// finish reports that all is done, or nothing more.
func (m *progressTransport) finish(whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	if whole && m.report != nil {
		m.report(m.total, m.total)
	}
}

func (m *progressTransport) add(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = min(m.done+n, m.total)
	if m.ended || m.report == nil || m.done >= m.reported && m.done-m.reported < 1<<20 {
		return
	}
	m.reported = m.done
	m.report(m.done, m.total)
}

// RoundTrip counts blobs on their way.
func (m *progressTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodPatch || req.Body == nil {
		resp, err := m.next.RoundTrip(req)
		if err == nil && req.Method == http.MethodHead && resp.StatusCode == http.StatusOK && strings.Contains(req.URL.Path, "/blobs/") {
			m.add(max(0, resp.ContentLength))
		}
		return resp, err
	}
	if f, ok := req.Body.(*os.File); ok && req.URL.Scheme == "http" {
		return m.sendFile(req, f)
	}
	body := &countingBody{ReadCloser: req.Body, meter: m}
	sent := req.Clone(req.Context())
	sent.Body = body
	resp, err := m.next.RoundTrip(sent)
	if err != nil || resp.StatusCode >= 400 {
		body.discard()
	}
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

// sendFile counts a file from outside. Left as it is, the system copies it to an
// unencrypted connection without this process having to.
func (m *progressTransport) sendFile(req *http.Request, f *os.File) (*http.Response, error) {
	stop := m.trackOffset(f)
	resp, err := m.next.RoundTrip(req)
	told := stop()
	if err != nil || resp.StatusCode >= 400 {
		m.add(-told)
	} else {
		m.add(max(0, req.ContentLength-told))
	}
	return resp, err
}

// trackOffset adds what was read of the file until stop is called, which tells how much
// that was.
func (m *progressTransport) trackOffset(f *os.File) (stop func() (told int64)) {
	var told int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(pollInterval)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
			}
			at, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return // closed: the rest is known when the request ends
			}
			m.add(at - told)
			told = at
		}
	}()
	return func() int64 { close(done); <-ended; return told }
}

type countingBody struct {
	io.ReadCloser
	meter *progressTransport

	mu     sync.Mutex
	n      int64
	failed bool
}

func (c *countingBody) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.failed {
		c.n += int64(n)
		c.meter.add(int64(n))
	}
	return n, err
}

// discard takes back what was counted of a try that failed.
func (c *countingBody) discard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true
	c.meter.add(-c.n)
}
