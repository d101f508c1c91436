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

	"github.com/slipway-cd/slipway/internal/adapter/anchore/testdb"
	"github.com/slipway-cd/slipway/internal/fault"
)

// TestUpdate downloads from a server that is laid out as grype's.
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
	s := New(Config{Dir: filepath.Join(t.TempDir(), "db"), URL: server.URL + "/databases", Now: func() time.Time { return now }})

	broken.Store(true)
	if d, changed, err := s.Update(t.Context(), nil); !fault.Is(err, fault.Unavailable) || changed || !d.BuiltAt.IsZero() {
		t.Errorf("Update with another checksum = %+v, %v, %v, want no database and an error of kind %v", d, changed, err, fault.Unavailable)
	}
	broken.Store(false)
	d, changed, err := s.Update(t.Context(), func(int64, int64) {})
	if err != nil || !changed {
		t.Fatalf("Update = %v, %v, want a new database", changed, err)
	}
	if !d.BuiltAt.Equal(built) {
		t.Fatalf("time of the database's data = %s, want %s", d.BuiltAt, built)
	}
	if !d.CheckedAt.Equal(now) {
		t.Fatalf("time of the last check = %s, want %s", d.CheckedAt, now)
	}
	if !strings.HasPrefix(d.Source, server.URL) {
		t.Fatalf("source of the database = %q, want one below %s", d.Source, server.URL)
	}
	if r := scan(t, s, debian()); len(r.Findings) != 1 {
		t.Errorf("scan after the update: got %d findings, want 1: %+v", len(r.Findings), r)
	}
	if d, changed, err := s.Update(t.Context(), nil); err != nil || changed || !d.BuiltAt.Equal(built) {
		t.Errorf("Update of the newest database = %+v, %v, %v, want the same database of %s", d, changed, err, built)
	}
	server.Close()
	now = now.Add(2 * time.Hour)
	if d, changed, err := s.Update(t.Context(), nil); !fault.Is(err, fault.Unavailable) || changed || d.BuiltAt.IsZero() {
		t.Errorf("Update without a server = %+v, %v, %v, want the same database and an error of kind %v", d, changed, err, fault.Unavailable)
	}
	if d, err := s.Status(t.Context()); err != nil || !d.CheckedAt.Equal(now) {
		t.Errorf("time of the last check without a server = %s, %v, want %s", d.CheckedAt, err, now)
	}
	if r := scan(t, s, debian()); len(r.Findings) != 1 {
		t.Errorf("scan after an unsuccessful update: got %d findings, want 1: %+v", len(r.Findings), r)
	}
}

func TestUpdate_ContextEnds(t *testing.T) {
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
		t.Errorf("Update = %v, want %v", err, context.Canceled)
	}
}

// TestUpdate_StopsDuringDownload cancels while the archive is sent.
func TestUpdate_StopsDuringDownload(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	mux := http.NewServeMux()
	mux.HandleFunc("/v6/latest.json", listing("db.tar.gz", "sha256:"+strings.Repeat("0", 64)))
	mux.HandleFunc("/v6/db.tar.gz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = w.Write(make([]byte, 1000))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	s := New(Config{Dir: t.TempDir(), URL: server.URL, Now: time.Now})
	var done, total int64
	_, changed, err := s.Update(ctx, func(d, all int64) { done, total = d, all; cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update = %v, want %v", err, context.Canceled)
	}
	if changed {
		t.Error("Update reports a new database")
	}
	if done == 0 || total != 1000000 {
		t.Errorf("reported %d of %d bytes, want some of 1000000", done, total)
	}
	if left, _ := filepath.Glob(filepath.Join(s.c.Dir, ".incoming-*")); len(left) > 0 {
		t.Errorf("unfinished downloads = %v, want none", left)
	}
}

// TestUpdate_RefusesUnusableSource has sources whose databases can't be used.
func TestUpdate_RefusesUnusableSource(t *testing.T) {
	sum := "sha256:" + strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		latest http.HandlerFunc
		want   string
	}{
		"other page":    {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "latest.json"},
		"empty list":    {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }, "lists no database"},
		"endless list":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte(" "), 2<<20)) }, "too large"},
		"large archive": {listing("large.tar.gz", sum), "more than 8589934592"},
		"no list":       {http.NotFound, "404"},
		"no checksum":   {listing("db.tar.gz", ""), "no SHA-256"},
		"weak checksum": {listing("db.tar.gz", "md5:00"), "no SHA-256"},
		"no archive":    {listing("gone.tar.gz", sum), "404"},
		"other archive": {listing("db.tar.gz", sum), "but the source lists"},
		"path with ..":  {listing("../../secret", sum), "404"},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("/databases/v6/latest.json", c.latest)
			mux.HandleFunc("/databases/v6/db.tar.gz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x") })
			mux.HandleFunc("/databases/v6/large.tar.gz", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(int64(maxDownloadBytes)+1))
				_, _ = w.Write(make([]byte, 1000))
			})
			mux.HandleFunc("/secret", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "beside the databases") })
			server := httptest.NewServer(mux)
			defer server.Close()
			s := New(Config{Dir: t.TempDir(), URL: server.URL + "/databases/", Now: time.Now})
			_, changed, err := s.Update(t.Context(), nil)
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("Update = %v, want an error of kind %v", err, fault.Unavailable)
			}
			if changed {
				t.Error("Update reports a new database")
			}
			if !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("error %v does not contain %q", err, c.want)
			}
			hint := fault.HintOf(err)
			if got, want := strings.Contains(hint, "a proxy or mirror may be serving"), name == "other archive"; got != want {
				t.Errorf("hint %q blames a proxy: %v, want %v", hint, got, want)
			}
		})
	}
}

// listing serves a list that names an archive built a moment ago.
func listing(path, sum string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"status": "active", "schemaVersion": "v6.1.0", "built": %q, "path": %q, "checksum": %q}`, time.Now().UTC().Format(time.RFC3339), path, sum)
	}
}

// published returns the planted database as an archive, and the time of its data.
func published(t *testing.T) ([]byte, time.Time) {
	t.Helper()
	file, err := testdb.Write(t.TempDir(), planted())
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
	return out.Bytes(), d.BuiltAt
}
