package buildkit

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestBlobWriter_Commit(t *testing.T) {
	blob := []byte("what BuildKit sends")
	d := digest.FromBytes(blob)
	for name, c := range map[string]struct {
		promised, committed ocispecs.Descriptor
		truncate, refused   bool
	}{
		"known blob":             {promised: ocispecs.Descriptor{Digest: d, Size: int64(len(blob))}, committed: ocispecs.Descriptor{Digest: d, Size: int64(len(blob))}},
		"unknown blob":           {},
		"truncated":              {promised: ocispecs.Descriptor{Digest: d}, truncate: true},
		"other digest":           {promised: ocispecs.Descriptor{Digest: digest.FromString("other")}, refused: true},
		"other digest at commit": {committed: ocispecs.Descriptor{Digest: digest.FromString("other")}, refused: true},
		"too short":              {committed: ocispecs.Descriptor{Size: 100}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
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
				t.Fatalf("write the blob: %v", err)
			}
			at, err := w.Status()
			if err != nil {
				t.Errorf("Status: %v", err)
			}
			if want := int64(len(blob)); at.Offset != want {
				t.Errorf("Status reports offset %d, want %d", at.Offset, want)
			}
			if at.Ref != "layer" {
				t.Errorf("Status reports reference %q, want layer", at.Ref)
			}
			err = w.Commit(t.Context(), c.committed.Size, c.committed.Digest)
			if c.refused != errdefs.IsFailedPrecondition(err) || !c.refused && err != nil {
				t.Errorf("Commit = %v, want refused: %v", err, c.refused)
			}
			if err := errors.Join(w.Close(), w.Close()); err != nil {
				t.Errorf("close twice: %v", err)
			}
			checkStored(t, s, d, !c.refused)
		})
	}
}

// checkStored checks that the store has the blob and nothing else, or nothing at all.
func checkStored(t *testing.T, s *store, d digest.Digest, stored bool) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(s.dir, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	if stored {
		want = append(want, d.Encoded())
	}
	for _, f := range files {
		got = append(got, f.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files of the store (-want +got):\n%s", diff)
	}
	if _, err := s.Info(t.Context(), d); (err == nil) != stored {
		t.Errorf("Info of the blob = %v, want stored: %v", err, stored)
	}
}

func TestBlobWriter_Abort(t *testing.T) {
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
		t.Errorf("Commit after Close = %v, want an error of kind FailedPrecondition", err)
	}
	checkStored(t, s, digest.FromString("half of it"), false)
}
