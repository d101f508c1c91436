package anchore

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestUpdateOnAFullDisk: the disk is to blame, not the source.
func TestUpdateOnAFullDisk(t *testing.T) {
	disk := porttest.SmallDisk(t, "1m")
	mux := http.NewServeMux()
	mux.HandleFunc("/v6/latest.json", listing("db.tar.gz", "sha256:"+strings.Repeat("0", 64)))
	mux.HandleFunc("/v6/db.tar.gz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 4<<20)) })
	server := httptest.NewServer(mux)
	defer server.Close()
	s := New(Config{Dir: disk, URL: server.URL, Now: time.Now})
	_, changed, err := s.Update(t.Context(), nil)
	if !fault.Is(err, fault.Unavailable) || changed || !strings.Contains(err.Error(), "no space left") || !strings.Contains(fault.HintOf(err), "free some space") {
		t.Errorf("%v, %v (%s)", changed, err, fault.HintOf(err))
	}
	if left, _ := filepath.Glob(filepath.Join(disk, ".incoming-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
