package engine

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/record"
)

// savedFiles keeps the size and the end of what is saved.
type savedFiles struct {
	record.RunFiles
	sizes map[string]int
	ends  map[string]string
}

func (s savedFiles) Save(_ context.Context, f record.RunFile, content io.Reader) error {
	raw, err := io.ReadAll(content)
	s.sizes[f.Name], s.ends[f.Name] = len(raw), string(raw[max(0, len(raw)-60):])
	return err
}

// TestPublisher_LongLog: other machines get the beginning of a long log, and are told so.
func TestPublisher_LongLog(t *testing.T) {
	home := t.TempDir()
	files := savedFiles{sizes: map[string]int{}, ends: map[string]string{}}
	claim := record.Ownership{Run: "20261124-101502-aaaa", Epoch: 1}
	p := newPublisher(files, home, claim)
	path := LogPath(home, claim.Run, "unit")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, maxPublished+1000), 0o600); err != nil {
		t.Fatal(err)
	}
	p.publish(t.Context())
	name := filepath.Base(path)
	if n := files.sizes[name]; n < maxPublished || n > maxPublished+100 || !strings.Contains(files.ends[name], "the rest is only on the machine") {
		t.Errorf("%d bytes were saved, which end with %q", n, files.ends[name])
	}
}
