package anchore

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestImportOfWhatIsNone(t *testing.T) {
	s := scanner(t)
	before, err := s.Status(t.Context())
	if err != nil || before.BuiltAt.IsZero() || before.Source != "manual import" {
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
