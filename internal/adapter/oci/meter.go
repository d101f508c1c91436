package oci

import (
	"io"
	"net/http"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-cd/slipway/internal/port"
)

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
