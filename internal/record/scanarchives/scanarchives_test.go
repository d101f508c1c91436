package scanarchives_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/blobs"
	"github.com/slipway-cd/slipway/internal/record/scanarchives"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
)

func TestStore(t *testing.T) {
	records, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"), "retail", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	s := scanarchives.Store{Cache: records.Cache(), Blobs: &blobs.Store{Objects: &fake.ObjectStore{}}}
	if _, ok, err := s.Newest(t.Context(), "grype-v6"); ok || err != nil {
		t.Errorf("before one was saved: ok = %v, error = %v", ok, err)
	}
	file := filepath.Join(t.TempDir(), "db.tar.zst")
	for day, text := range []string{"older", "newer"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		want := port.ScanArchive{Name: "db.tar.zst", Source: "https://example.com", BuiltAt: time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC)}
		if err := s.Save(t.Context(), "grype-v6", want, file); err != nil {
			t.Fatal(err)
		}
		want.Blob = port.Blob{Digest: delivery.DigestOf([]byte(text)), Size: int64(len(text))}
		got, ok, err := s.Newest(t.Context(), "grype-v6")
		if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
			t.Fatalf("newest (ok = %v, error = %v) (-want +got):\n%s", ok, err, diff)
		}
		to := filepath.Join(t.TempDir(), "fetched")
		if err := s.Fetch(t.Context(), got, to); err != nil {
			t.Fatal(err)
		}
		if raw, err := os.ReadFile(to); err != nil || string(raw) != text {
			t.Errorf("fetched %q (error = %v), want %q", raw, err, text)
		}
	}
	if _, ok, err := s.Newest(t.Context(), "grype-v7"); ok || err != nil {
		t.Errorf("of another format: ok = %v, error = %v, want none", ok, err)
	}
}
