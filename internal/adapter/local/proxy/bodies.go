package proxy

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// budget limits the bytes of all bodies that are kept at a time.
type budget struct {
	max  int64
	used atomic.Int64
}

// take reserves n bytes, and reports whether that was within the budget.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.max {
		return true
	}
	b.used.Add(-n)
	return false
}

func (b *budget) giveBack(n int64) { b.used.Add(-n) }

// MaxSampledBody is the size of the longest body that is sampled.
const MaxSampledBody = 64 << 10

// Sampler chooses the exchanges whose bodies are sampled, before they are forwarded:
// it returns nil for those that are not. Otherwise the function gets the exchange
// when the client has the response, unless a body is longer than MaxSampledBody or
// incomplete. Neither may block: the client's next request waits for them. Both are
// called concurrently.
type Sampler func(method, target string) func(Sample)

// Sample is an exchange that a Sampler chose.
type Sample struct {
	Release           delivery.ReleaseID
	Status            int
	Request, Response []byte // without transfer coding; not valid after the call
	Took              time.Duration
}

// sampling collects the response of an exchange that a Sampler chose; nil: of one
// that it did not.
type sampling struct {
	done     func(Sample)
	response []byte
	tooLong  bool
	chunked  bool // the response, still
}

func (choose Sampler) start(method, target string) *sampling {
	if choose == nil {
		return nil
	}
	done := choose(method, target)
	if done == nil {
		return nil
	}
	return &sampling{done: done}
}

func (s *sampling) add(response []byte) {
	if s == nil || s.tooLong {
		return
	}
	if len(s.response)+len(response) > MaxSampledBody {
		s.tooLong, s.response = true, nil
		return
	}
	s.response = append(s.response, response...)
}

func (s *sampling) finish(made Sample) {
	if s == nil || s.tooLong || len(made.Request) > MaxSampledBody || made.Status == http.StatusSwitchingProtocols {
		return
	}
	made.Response = s.response
	if s.chunked {
		var err error
		if made.Response, err = io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(s.response))); err != nil {
			return
		}
	}
	s.done(made)
}
