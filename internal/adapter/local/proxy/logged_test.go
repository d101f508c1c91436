package proxy_test

import (
	"bytes"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

// TestProxy_LogsWhatClientsSend: a client writes no lines of its own into the log, and not
// as much as it likes.
func TestProxy_LogsWhatClientsSend(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		logged := &logBuffer{}
		r := start(t, proxy.Config{Log: log.New(logged, "", 0)}) // without a pool nobody responds
		for name, c := range map[string]struct{ path, want string }{
			"line feed":       {"/a%0aprod:%20healthy", "GET"},
			"escape sequence": {"/a%1b[2J%c2%9b1A", "GET"},
			"long":            {"/" + strings.Repeat("x", 4<<10), "..."},
		} {
			t.Run(name, func(t *testing.T) {
				logged.reset()
				resp, err := http.Get(r.url + c.path)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				got := logged.String()
				if strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\x1b\u009b") || !strings.Contains(got, c.want) {
					t.Errorf("logged %q, want one printable line", got)
				}
				if len(got) > 600 {
					t.Errorf("logged %d bytes", len(got))
				}
			})
		}
	})
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}
