//go:build linux

package supervisor

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/memorytest"
)

// TestCall_TooLarge: a call without end is refused; who sends it has the same user, or is
// a mistake.
func TestCall_TooLarge(t *testing.T) {
	memorytest.Run(t, 6*maxCall, func() {
		cfg := &Config{IdleTimeout: time.Hour, Log: log.New(io.Discard, "", 0)}
		s := &Supervisor{cfg: cfg, store: newStore(cfg, State{}), cancel: func(error) {}, envs: map[string]*environment{}}
		s.idle = time.AfterFunc(time.Hour, func() {})
		body := io.LimitReader(spaces{}, 1<<30)
		req := httptest.NewRequest(http.MethodPost, CallHello, body)
		w := httptest.NewRecorder()
		s.routes().ServeHTTP(w, req)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "too large") {
			t.Errorf("%d: %s, want 400", w.Code, w.Body)
		}
	})
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
