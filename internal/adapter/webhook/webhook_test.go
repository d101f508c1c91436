package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestNotifier_Conformance(t *testing.T) {
	porttest.TestNotifier(t, func(t *testing.T) porttest.NotifierFixture {
		var status atomic.Int64
		status.Store(http.StatusNoContent)
		var got []string
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			got = append(got, string(b))
			w.WriteHeader(int(status.Load()))
		}))
		t.Cleanup(s.Close)
		address := strings.Replace(s.URL, "http://", "http://user:hunter2@", 1) + "/services/T0PSECRET?token=abcdef123"
		w, err := New(address, "signing-key", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return porttest.NotifierFixture{
			Notifier: w, Respond: func(n int) { status.Store(int64(n)) }, Received: func() []string { return got }, Stop: s.Close,
			Secrets:   []string{"hunter2", "T0PSECRET", "abcdef123", "signing-key"},
			Permanent: map[int]fault.Kind{400: fault.Invalid, 404: fault.Invalid, 302: fault.Invalid, 401: fault.Denied, 403: fault.Denied},
		}
	})
}

func TestNotify_SignsBody(t *testing.T) {
	var signature, id, body string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		signature, id, body = r.Header.Get(SignatureHeader), r.Header.Get(DeliveryHeader), string(b)
	}))
	defer s.Close()
	w, err := New(s.URL, "signing-key", func() time.Time { return time.Unix(1700000000, 0) })
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Notify(t.Context(), port.Message{ID: "m-7", JSON: []byte(`{"a":1}`)}); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte("signing-key"))
	mac.Write([]byte(`1700000000.{"a":1}`))
	if want := "t=1700000000,v1=" + hex.EncodeToString(mac.Sum(nil)); signature != want || id != "m-7" || body != `{"a":1}` {
		t.Errorf("signature %q (want %q), delivery %q, body %q", signature, want, id, body)
	}
}

func TestNew_ErrorHidesAddress(t *testing.T) {
	for _, address := range []string{"", "hooks.example.com/T0PSECRET", "ftp://x/T0PSECRET", "http://%zz/T0PSECRET"} {
		_, err := New(address, "", time.Now)
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "T0PSECRET") {
			t.Errorf("New(%q) = %v, want %s without the address", address, err, fault.Invalid)
		}
	}
}
