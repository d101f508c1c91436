package shoutrrr

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestNotifier_Conformance(t *testing.T) {
	porttest.TestNotifier(t, func(t *testing.T) porttest.NotifierFixture {
		var status atomic.Int64
		status.Store(http.StatusOK)
		var mu sync.Mutex
		var got []string
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			mu.Lock()
			got = append(got, string(b))
			mu.Unlock()
			w.WriteHeader(int(status.Load()))
		}))
		t.Cleanup(s.Close)
		c, err := New(strings.Replace(s.URL, "http://", "generic://", 1) + "/services/T0PSECRET?disabletls=yes&$token=abcdef123")
		if err != nil {
			t.Fatal(err)
		}
		return porttest.NotifierFixture{
			Notifier: c, Respond: func(n int) { status.Store(int64(n)) }, Stop: s.Close,
			Received:  func() []string { mu.Lock(); defer mu.Unlock(); return got },
			Secrets:   []string{"T0PSECRET", "abcdef123"},
			Permanent: map[int]fault.Kind{},
		}
	})
}

func TestNew_ErrorHidesAddress(t *testing.T) {
	for _, address := range []string{"", "T0PSECRET", "nowhere://T0PSECRET@x", "slack://T0PSECRET", "discord://T0PSECRET"} {
		_, err := New(address)
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "T0PSECRET") {
			t.Errorf("New(%q) = %v, want %s without the address", address, err, fault.Invalid)
		}
	}
}
