package blob

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// FuzzDecompress: whatever is read as a layer ends in content or an error, and what was
// compressed comes out again.
func FuzzDecompress(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("plain"))
	f.Add([]byte{0x1f, 0x8b})
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0x00, 0x00}) // a window beyond the limit
	f.Add([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := Decompress(bufio.NewReader(bytes.NewReader(raw))); err == nil {
			_, _ = io.CopyN(io.Discard, r, 16<<20)
			_ = r.Close()
		}
		var z, s bytes.Buffer
		zip := gzip.NewWriter(&z)
		std, err := zstd.NewWriter(&s)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range []io.WriteCloser{zip, std} {
			_, _ = w.Write(raw)
			_ = w.Close()
		}
		for _, compressed := range []*bytes.Buffer{&z, &s} {
			r, err := Decompress(bufio.NewReader(compressed))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%d bytes came out of %d, %v", len(got), len(raw), err)
			}
			_ = r.Close()
		}
	})
}
