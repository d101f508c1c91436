package porttest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestNotifier holds an adapter to port.Notifier, for places that are reached
// over HTTP. fresh makes one that speaks to the server's URL and keeps the secret
// wherever its kind of address has secrets; its patience should be below a second.
func TestNotifier(t *testing.T, fresh func(t *testing.T, server, secret string) port.Notifier) {
	t.Run("delivers", func(t *testing.T) { testDelivers(t, fresh) })
	t.Run("answers", func(t *testing.T) { testNotifyAnswers(t, fresh) })
	t.Run("unreachable", func(t *testing.T) { testNotifyUnreachable(t, fresh) })
}

type freshNotifier = func(t *testing.T, server, secret string) port.Notifier

const notifySecret = "s3cret-T0ken"

func testDelivers(t *testing.T, fresh freshNotifier) {
	var mu sync.Mutex
	var got []string
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Method+" "+string(b))
	})
	n := fresh(t, s.URL, notifySecret)
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if err := n.Notify(t.Context(), port.Message{ID: "1", Title: "prod: deployed", Text: "retail-api r-0123456789ab"}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(got) != 3 || !strings.HasPrefix(got[0], "POST ") || !strings.Contains(got[0], "prod: deployed") || !strings.Contains(got[0], "retail-api r-0123456789ab") {
		t.Errorf("delivered: %q", got)
	}
	if name := n.Name(); name == "" || strings.Contains(name, notifySecret) {
		t.Errorf("name %q", name)
	}
}

func testNotifyAnswers(t *testing.T, fresh freshNotifier) {
	for status, hopeless := range map[int]bool{400: true, 401: true, 403: true, 404: true, 410: true, 408: false, 429: false, 500: false, 502: false, 503: false} {
		var asked atomic.Int32
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Error(w, "I know "+r.URL.String(), status)
		})
		err := fresh(t, s.URL, notifySecret).Notify(t.Context(), port.Message{ID: "1", Title: "t", Text: "x"})
		if err == nil || asked.Load() != 1 {
			t.Errorf("%d: %v after %d attempts, want an error after one", status, err, asked.Load())
			continue
		}
		if got := fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied); got != hopeless {
			t.Errorf("%d: %v is hopeless = %v", status, err, got)
		}
		wantMasked(t, err)
	}
}

func testNotifyUnreachable(t *testing.T, fresh freshNotifier) {
	gone := httptest.NewServer(nil)
	gone.Close()
	err := fresh(t, gone.URL, notifySecret).Notify(t.Context(), port.Message{ID: "1", Title: "t", Text: "x"})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("nobody there: %v, want unavailable", err)
	}
	wantMasked(t, err)
	release := make(chan struct{})
	hangs := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	err = fresh(t, hangs.URL, notifySecret).Notify(t.Context(), port.Message{ID: "1", Title: "t", Text: "x"})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("no answer: %v, want unavailable", err)
	}
	wantMasked(t, err)
	stopped := errors.New("somebody stopped it")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	err = fresh(t, hangs.URL, notifySecret).Notify(ctx, port.Message{ID: "1", Title: "t", Text: "x"})
	if !errors.Is(err, stopped) {
		t.Errorf("cancelled: %v, want the context's cause", err)
	}
	wantMasked(t, err)
}

func wantMasked(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error()+fault.HintOf(err), notifySecret) {
		t.Errorf("the secret is in %v", err)
	}
}
