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
	s := New(Config{Dir: filepath.Join(t.TempDir(), "db"), URL: server.URL + "/databases", Now: func() time.Time { return now }})

	broken.Store(true)
	if d, changed, err := s.Update(t.Context(), nil); !fault.Is(err, fault.Unavailable) || changed || !d.BuiltAt.IsZero() {
		t.Errorf("another checksum: %+v, %v, %v", d, changed, err)
	}
	broken.Store(false)
	d, changed, err := s.Update(t.Context(), func(int64, int64) {})
	if err != nil || !changed || !d.BuiltAt.Equal(built) || !d.CheckedAt.Equal(now) || !strings.HasPrefix(d.Source, server.URL) {
		t.Fatalf("%+v, %v, %v", d, changed, err)
	}
	if r := gapsOf(t, s, debian()); len(r.Findings) != 1 {
		t.Errorf("%+v", r)
	}
	if d, changed, err := s.Update(t.Context(), nil); err != nil || changed || !d.BuiltAt.Equal(built) {
		t.Errorf("the newest is there: %+v, %v, %v", d, changed, err)
	}
	server.Close()
	now = now.Add(2 * time.Hour)
	if d, changed, err := s.Update(t.Context(), nil); !fault.Is(err, fault.Unavailable) || changed || d.BuiltAt.IsZero() {
		t.Errorf("nobody answers: %+v, %v, %v", d, changed, err)
	}
	if d, err := s.Status(t.Context()); err != nil || !d.CheckedAt.Equal(now) {
		t.Errorf("that it was asked is forgotten: %+v, %v", d, err)
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

// TestUpdateStopsInTheMiddle cancels while the database comes.
func TestUpdateStopsInTheMiddle(t *testing.T) {
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
	if !errors.Is(err, context.Canceled) || changed || done == 0 || total != 1000000 {
		t.Errorf("%v, %v after %d of %d bytes", changed, err, done, total)
	}
	if left, _ := filepath.Glob(filepath.Join(s.c.Dir, ".incoming-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestUpdateFromAStrangeSource has sources that offer what can't be taken.
func TestUpdateFromAStrangeSource(t *testing.T) {
	sum := "sha256:" + strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		latest http.HandlerFunc
		want   string
	}{
		"another page":       {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "latest.json"},
		"an empty list":      {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }, "lists no database"},
		"an endless list":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte(" "), 2<<20)) }, "too large"},
		"no list":            {http.NotFound, "404"},
		"no checksum":        {listing("db.tar.gz", ""), "no SHA-256"},
		"a weak checksum":    {listing("db.tar.gz", "md5:00"), "no SHA-256"},
		"no archive":         {listing("gone.tar.gz", sum), "404"},
		"another archive":    {listing("db.tar.gz", sum), "but the source lists"},
		"a path that climbs": {listing("../../secret", sum), "404"},
	} {
		mux := http.NewServeMux()
		mux.HandleFunc("/databases/v6/latest.json", c.latest)
		mux.HandleFunc("/databases/v6/db.tar.gz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x") })
		mux.HandleFunc("/secret", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "beside the databases") })
		server := httptest.NewServer(mux)
		s := New(Config{Dir: t.TempDir(), URL: server.URL + "/databases/", Now: time.Now})
		_, changed, err := s.Update(t.Context(), nil)
		otherHint := strings.Contains(fault.HintOf(err), "a proxy or mirror may be serving")
		if !fault.Is(err, fault.Unavailable) || changed || !strings.Contains(fmt.Sprint(err), c.want) || otherHint != (name == "another archive") {
			t.Errorf("%s: %v, %v", name, changed, err)
		}
		server.Close()
	}
}

// listing names an archive that was built a moment ago.
func listing(path, sum string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"status": "active", "schemaVersion": "v6.1.0", "built": %q, "path": %q, "checksum": %q}`, time.Now().UTC().Format(time.RFC3339), path, sum)
	}
}

// published is the planted database as an archive, and when it was made.
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
