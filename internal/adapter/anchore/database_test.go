package anchore

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/anchore/plant"
	"github.com/slipway-cd/slipway/internal/fault"
)

func TestImportOfWhatIsNone(t *testing.T) {
	s := scanner(t)
	before, err := s.Status(t.Context())
	if err != nil || before.Built.IsZero() || before.From != "manual import" {
		t.Fatalf("%+v, %v", before, err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"vulnerability.db": "no database", "archive.tar.gz": "no archive", "notes.txt": "x"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Import(t.Context(), file); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, file := range []string{filepath.Join(dir, "missing.db"), dir} {
		if _, err := s.Import(t.Context(), file); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if after, err := s.Status(t.Context()); err != nil || after != before {
		t.Errorf("%+v, %v", after, err)
	}
	left, err := filepath.Glob(filepath.Join(s.c.Dir, ".incoming-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestADamagedDatabaseIsNoDatabase(t *testing.T) {
	s := scanner(t)
	d, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 0xff
	if err := os.WriteFile(d.Path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Status(t.Context()); !fault.Is(err, fault.Corrupt) {
		t.Errorf("status: %v", err)
	}
	if r, err := s.Scan(t.Context(), order(t, debian())); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestUpdate downloads from a server as grype's is laid out.
func TestUpdate(t *testing.T) {
	var broken atomic.Bool
	archive, built := published(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/databases/v6/latest.json", func(w http.ResponseWriter, _ *http.Request) {
		sum := sha256.Sum256(archive)
		if broken.Load() {
			sum[0]++
		}
		fmt.Fprintf(w, `{"status": "active", "schemaVersion": "v6.1.0", "built": %q, "path": "db.tar.gz", "checksum": "sha256:%x"}`, built.Format(time.RFC3339), sum)
	})
	mux.HandleFunc("/databases/v6/db.tar.gz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
	server := httptest.NewServer(mux)
	defer server.Close()
	now := time.Now().UTC().Truncate(time.Second)
	s := New(Config{Dir: filepath.Join(t.TempDir(), "db"), URL: server.URL + "/databases", Clock: func() time.Time { return now }})

	broken.Store(true)
	if d, changed, err := s.Update(t.Context(), nil); !fault.Is(err, fault.Unavailable) || changed || !d.Built.IsZero() {
		t.Errorf("another checksum: %+v, %v, %v", d, changed, err)
	}
	broken.Store(false)
	d, changed, err := s.Update(t.Context(), func(int64, int64) {})
	if err != nil || !changed || !d.Built.Equal(built) || !d.Asked.Equal(now) || !strings.HasPrefix(d.From, server.URL) {
		t.Fatalf("%+v, %v, %v", d, changed, err)
	}
	if r := gapsOf(t, s, debian()); len(r.Findings) != 1 {
		t.Errorf("%+v", r)
	}
	if d, changed, err := s.Update(t.Context(), nil); err != nil || changed || !d.Built.Equal(built) {
		t.Errorf("the newest is there: %+v, %v, %v", d, changed, err)
	}
	server.Close()
	if d, changed, err := s.Update(t.Context(), nil); !fault.Is(err, fault.Unavailable) || changed || d.Built.IsZero() {
		t.Errorf("nobody answers: %+v, %v, %v", d, changed, err)
	}
	if r := gapsOf(t, s, debian()); len(r.Findings) != 1 {
		t.Errorf("what was there has gone: %+v", r)
	}
}

func TestUpdateEndsWithItsContext(t *testing.T) {
	held := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(held)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := New(Config{Dir: t.TempDir(), URL: server.URL})
	if _, _, err := s.Update(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// published is the planted database as an archive, and when it was made.
func published(t *testing.T) ([]byte, time.Time) {
	t.Helper()
	file, err := plant.Write(t.TempDir(), planted())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	err = w.WriteHeader(&tar.Header{Name: "vulnerability.db", Mode: 0o644, Size: int64(len(raw))})
	if err == nil {
		_, err = w.Write(raw)
	}
	if err = errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	s := New(Config{Dir: filepath.Join(t.TempDir(), "db")})
	d, err := s.Import(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), d.Built
}
