package anchore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestImport_RefusesOtherFiles(t *testing.T) {
	s := scanner(t)
	before, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if before.BuiltAt.IsZero() {
		t.Fatal("the imported database has no time of its data")
	}
	if before.Source != "manual import" {
		t.Fatalf("source of the imported database = %q, want %q", before.Source, "manual import")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"vulnerability.db": "no database", "archive.tar.gz": "no archive", "notes.txt": "x"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			_, err := s.Import(t.Context(), file)
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("Import = %v, want an error of kind %v", err, fault.Invalid)
			}
			if fault.HintOf(err) == "" {
				t.Errorf("error %v has no hint", err)
			}
		})
	}
	for name, file := range map[string]string{"missing file": filepath.Join(dir, "missing.db"), "folder": dir} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Import(t.Context(), file); !fault.Is(err, fault.NotFound) {
				t.Errorf("Import = %v, want an error of kind %v", err, fault.NotFound)
			}
		})
	}
	after, err := s.Status(t.Context())
	if err != nil {
		t.Errorf("status after the imports: %v", err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("status after the imports (-want +got):\n%s", diff)
	}
	left, err := filepath.Glob(filepath.Join(s.c.Dir, ".incoming-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("unfinished folders = %v, %v, want none", left, err)
	}
}

func TestStatus_DamagedDatabase(t *testing.T) {
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
		t.Errorf("Status = %v, want an error of kind %v", err, fault.Corrupt)
	}
	if r, err := s.Scan(t.Context(), scanRequest(t, debian())); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Scan = %+v, %v, want an error of kind %v", r, err, fault.Unavailable)
	}
}

// TestReadCurrent: a database that another process replaces and removes while it is
// read is no damage.
func TestReadCurrent(t *testing.T) {
	s := New(Config{Dir: t.TempDir()})
	name := func(current string) {
		if err := os.WriteFile(filepath.Join(s.c.Dir, currentFile), []byte(current+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone := errors.New("gone")
	name("db-old")
	var read []string
	found, err := s.readCurrent(func(root string) error {
		read = append(read, filepath.Base(root))
		if len(read) == 1 {
			name("db-new")
			return gone
		}
		return nil
	})
	if !found || err != nil || !slices.Equal(read, []string{"db-old", "db-new"}) {
		t.Errorf("found %v, error %v, read %v; want the new one after the old one", found, err, read)
	}
	if found, err := s.readCurrent(func(string) error { return gone }); !found || !errors.Is(err, gone) {
		t.Errorf("found %v, error %v; want that of a database that is not replaced", found, err)
	}
}
