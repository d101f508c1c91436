package buildkit

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestIncoming(t *testing.T) {
	blob := []byte("what BuildKit sends")
	d := digest.FromBytes(blob)
	for name, c := range map[string]struct {
		promised, committed ocispecs.Descriptor
		truncate, refused   bool
	}{
		"all is known":     {promised: ocispecs.Descriptor{Digest: d, Size: int64(len(blob))}, committed: ocispecs.Descriptor{Digest: d, Size: int64(len(blob))}},
		"nothing is known": {},
		"begun again":      {promised: ocispecs.Descriptor{Digest: d}, truncate: true},
		"another digest":   {promised: ocispecs.Descriptor{Digest: digest.FromString("other")}, refused: true},
		"at the end":       {committed: ocispecs.Descriptor{Digest: digest.FromString("other")}, refused: true},
		"too short":        {committed: ocispecs.Descriptor{Size: 100}, refused: true},
	} {
		s, err := newStore(filepath.Join(t.TempDir(), "layout"), t.TempDir(), layerCache{})
		if err != nil {
			t.Fatal(err)
		}
		w, err := s.Writer(t.Context(), content.WithRef("layer"), content.WithDescriptor(c.promised))
		if err != nil {
			t.Fatal(err)
		}
		if c.truncate {
			_, err = w.Write([]byte("something else, and longer than the blob"))
			err = errors.Join(err, w.Truncate(0))
		}
		if err == nil {
			_, err = w.Write(blob)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if at, err := w.Status(); err != nil || at.Offset != int64(len(blob)) || at.Ref != "layer" {
			t.Errorf("%s: %+v, %v", name, at, err)
		}
		err = w.Commit(t.Context(), c.committed.Size, c.committed.Digest)
		if c.refused != errdefs.IsFailedPrecondition(err) || !c.refused && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(w.Close(), w.Close()); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
		held(t, name, s, d, c.refused)
	}
}

// held looks for the blob, and for what a writer left beside it.
func held(t *testing.T, name string, s *store, d digest.Digest, refused bool) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(s.dir, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	if refused && len(files) != 0 || !refused && (len(files) != 1 || files[0].Name() != d.Encoded()) {
		t.Errorf("%s: %v", name, files)
	}
	if _, err := s.Info(t.Context(), d); (err != nil) != refused {
		t.Errorf("%s: info: %v", name, err)
	}
}

func TestIncomingIsGivenUp(t *testing.T) {
	s, err := newStore(filepath.Join(t.TempDir(), "layout"), t.TempDir(), layerCache{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Writer(t.Context(), content.WithRef("layer"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte("half of it"))
	if err := errors.Join(err, w.Close(), s.Abort(t.Context(), "layer")); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), 0, ""); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("commit after close: %v", err)
	}
	held(t, "given up", s, digest.FromString("half of it"), true)
}
