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

// TestUpdate_FullDisk: the error blames the disk, not the source.
func TestUpdate_FullDisk(t *testing.T) {
	disk := porttest.SmallDisk(t, "1m")
	mux := http.NewServeMux()
	mux.HandleFunc("/v6/latest.json", listing("db.tar.gz", "sha256:"+strings.Repeat("0", 64)))
	mux.HandleFunc("/v6/db.tar.gz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 4<<20)) })
	server := httptest.NewServer(mux)
	defer server.Close()
	s := New(Config{Dir: disk, URL: server.URL, Now: time.Now})
	_, changed, err := s.Update(t.Context(), nil)
	if !fault.Is(err, fault.Unavailable) {
		t.Fatalf("Update = %v, want an error of kind %v", err, fault.Unavailable)
	}
	if changed {
		t.Error("Update reports a new database")
	}
	if !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %q does not contain %q", err, "no space left")
	}
	if hint := fault.HintOf(err); !strings.Contains(hint, "free some space") {
		t.Errorf("hint %q does not contain %q", hint, "free some space")
	}
	if left, _ := filepath.Glob(filepath.Join(disk, ".incoming-*")); len(left) > 0 {
		t.Errorf("unfinished downloads = %v, want none", left)
	}
}
