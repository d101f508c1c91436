package anchore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// sharedArchives are in memory.
type sharedArchives struct {
	newest  map[string]port.ScanArchive
	content []byte
	fail    error
}

func (s *sharedArchives) Newest(_ context.Context, format string) (port.ScanArchive, bool, error) {
	a, ok := s.newest[format]
	return a, ok, s.fail
}

func (s *sharedArchives) Save(_ context.Context, format string, a port.ScanArchive, file string) (err error) {
	s.content, err = os.ReadFile(file)
	a.Blob = port.Blob{Digest: delivery.DigestOf(s.content), Size: int64(len(s.content))}
	s.newest = map[string]port.ScanArchive{format: a}
	return err
}

func (s *sharedArchives) Fetch(_ context.Context, _ port.ScanArchive, file string) error {
	return os.WriteFile(file, s.content, 0o600)
}

// listServer is a server that is laid out as grype's, and counts what it is asked for.
type listServer struct {
	*httptest.Server
	listed, downloaded int
}

func newSource(t *testing.T) (s *listServer, built time.Time) {
	t.Helper()
	archive, built := published(t)
	s = &listServer{}
	mux := http.NewServeMux()
	mux.HandleFunc("/databases/v6/latest.json", func(w http.ResponseWriter, _ *http.Request) {
		s.listed++
		fmt.Fprintf(w, `{"status": "active", "schemaVersion": "v6.1.0", "built": %q, "path": "db.tar.gz", "checksum": "sha256:%x"}`, built.Format(time.RFC3339), sha256.Sum256(archive))
	})
	mux.HandleFunc("/databases/v6/db.tar.gz", func(w http.ResponseWriter, _ *http.Request) { s.downloaded++; _, _ = w.Write(archive) })
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s, built
}

// TestUpdate_SharedArchive: an empty machine takes the database that another one has
// downloaded. While it is new, the source is not even asked.
func TestUpdate_SharedArchive(t *testing.T) {
	from, built := newSource(t)
	shared := &sharedArchives{}
	machine := func(age time.Duration) *Scanner {
		return New(Config{Dir: filepath.Join(t.TempDir(), "db"), URL: from.URL + "/databases", Archives: shared, Now: func() time.Time { return built.Add(age) }})
	}
	for _, c := range []struct {
		name               string
		age                time.Duration
		listed, downloaded int
	}{{"first", time.Hour, 1, 1}, {"second", 2 * time.Hour, 1, 1}, {"a day later", sharedAge, 2, 1}} {
		s := machine(c.age)
		d, changed, err := s.Update(t.Context(), nil)
		if err != nil || !changed || !d.BuiltAt.Equal(built) || d.Source != from.URL+"/databases/v6/db.tar.gz" {
			t.Errorf("%s: Update = %+v, %v, %v, want the database", c.name, d, changed, err)
		}
		if from.listed != c.listed || from.downloaded != c.downloaded {
			t.Errorf("%s: listed %d times, downloaded %d times, want %d and %d", c.name, from.listed, from.downloaded, c.listed, c.downloaded)
		}
		if r := scan(t, s, debian()); len(r.Findings) != 1 {
			t.Errorf("%s: %d findings, want 1", c.name, len(r.Findings))
		}
		left, _ := filepath.Glob(filepath.Join(s.c.Dir, ".incoming-*"))
		if len(left) > 0 {
			t.Errorf("%s: left = %v, want nothing", c.name, left)
		}
	}
	from.Close()
	d, changed, err := machine(sharedAge).Update(t.Context(), nil)
	if !fault.Is(err, fault.Unavailable) || !changed || !d.BuiltAt.Equal(built) {
		t.Errorf("without the source: Update = %+v, %v, %v, want the shared database and %s", d, changed, err, fault.Unavailable)
	}
}

// TestUpdate_SharedArchiveUnusable: then the source is asked, as if nothing was shared.
func TestUpdate_SharedArchiveUnusable(t *testing.T) {
	from, built := newSource(t)
	good := port.ScanArchive{Name: "db.tar.gz", BuiltAt: built}
	outside := good
	outside.Name = "../db.tar.gz"
	for name, shared := range map[string]*sharedArchives{
		"away":    {fail: errors.New("away")},
		"damaged": {newest: map[string]port.ScanArchive{archiveFormat(): good}, content: []byte("not an archive")},
		"outside": {newest: map[string]port.ScanArchive{archiveFormat(): outside}, content: []byte("x")},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Config{Dir: filepath.Join(t.TempDir(), "db"), URL: from.URL + "/databases", Archives: shared, Now: func() time.Time { return built }})
			before := from.downloaded
			if d, changed, err := s.Update(t.Context(), nil); err != nil || !changed || !d.BuiltAt.Equal(built) || from.downloaded != before+1 {
				t.Errorf("Update = %+v, %v, %v after %d downloads, want one", d, changed, err, from.downloaded-before)
			}
		})
	}
}
