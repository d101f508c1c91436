package embedded_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
)

// TestOpen_LogsNothing holds the library to the name of its key for the logger: with
// another one, every request would write to standard error. It changes the logger of
// the process, so it does not run beside others.
func TestOpen_LogsNothing(t *testing.T) {
	var logged bytes.Buffer
	standard := logrus.StandardLogger()
	before, level := standard.Out, standard.GetLevel()
	standard.SetOutput(&logged)
	standard.SetLevel(logrus.TraceLevel)
	defer func() { standard.SetOutput(before); standard.SetLevel(level) }()
	r, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v2/", "/v2/a/manifests/missing", "/v2/a/blobs/nonsense"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+embedded.Host+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := r.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if logged.Len() > 0 {
		t.Errorf("the library logged:\n%s", logged.String())
	}
}
