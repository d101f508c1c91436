package runfiles

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
)

// TestStoreOpen_Bomb: a stored log that unpacks without end is read to its limit. It is
// only shown: no verdict depends on it.
func TestStoreOpen_Bomb(t *testing.T) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 1<<20)
	for range 8 {
		_, _ = z.Write(part)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	s := Store{Objects: &fake.ObjectStore{}, Project: "retail", max: 4 << 20}
	f := record.RunFile{Run: "20261124-101502-aaaa", Epoch: 1, Name: "test.log"}
	if err := s.Objects.Put(t.Context(), s.Key(f), &packed); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); n != s.max || err != nil {
		t.Errorf("%d bytes were read, %v, want %d", n, err, s.max)
	}
}
