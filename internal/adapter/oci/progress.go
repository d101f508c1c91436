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

// looks is how often a file on its way is asked how far it is.
const looks = 100 * time.Millisecond

// meter counts what a push sends, and what the registry says it has already.
// The library's own progress panics when an upload is cut off: a request's body
// may be read for a while after the request has failed.
type meter struct {
	next http.RoundTripper
	p    port.Progress

	mu    sync.Mutex
	total int64
	done  int64
	told  int64
	over  bool
}

func newMeter(next http.RoundTripper, p port.Progress, parts []v1.Descriptor) *meter {
	m := &meter{next: next, p: p}
	for _, part := range parts {
		m.total += part.Size
	}
	return m
}

// end says that all is done, or nothing more.
func (m *meter) end(whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
	if whole && m.p != nil {
		m.p(m.total, m.total)
	}
}

func (m *meter) add(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = min(m.done+n, m.total)
	if m.over || m.p == nil || m.done >= m.told && m.done-m.told < 1<<20 {
		return
	}
	m.told = m.done
	m.p(m.done, m.total)
}

// RoundTrip counts blobs on their way.
func (m *meter) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodPatch || req.Body == nil {
		resp, err := m.next.RoundTrip(req)
		if err == nil && req.Method == http.MethodHead && resp.StatusCode == http.StatusOK && strings.Contains(req.URL.Path, "/blobs/") {
			m.add(max(0, resp.ContentLength))
		}
		return resp, err
	}
	if f, ok := req.Body.(*os.File); ok && req.URL.Scheme == "http" {
		return m.watch(req, f)
	}
	body := &counted{ReadCloser: req.Body, m: m}
	sent := req.Clone(req.Context())
	sent.Body = body
	resp, err := m.next.RoundTrip(sent)
	if err != nil || resp.StatusCode >= 400 {
		body.forget()
	}
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

// watch counts a file from outside. Left as it is, the system copies it to an
// unencrypted connection without this process having to.
func (m *meter) watch(req *http.Request, f *os.File) (*http.Response, error) {
	stop := m.follow(f)
	resp, err := m.next.RoundTrip(req)
	told := stop()
	if err != nil || resp.StatusCode >= 400 {
		m.add(-told)
	} else {
		m.add(max(0, req.ContentLength-told))
	}
	return resp, err
}

// follow adds what was read of the file until stop is called, which tells how much
// that was.
func (m *meter) follow(f *os.File) (stop func() (told int64)) {
	var told int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(looks)
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

type counted struct {
	io.ReadCloser
	m *meter

	mu     sync.Mutex
	n      int64
	failed bool
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.failed {
		c.n += int64(n)
		c.m.add(int64(n))
	}
	return n, err
}

// forget takes back what was counted of a try that failed.
func (c *counted) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true
	c.m.add(-c.n)
}
