package s3

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

// packedBy writes an archive while it is read.
func packedBy(write func(*tar.Writer) error) *counter {
	from, to := io.Pipe()
	go func() {
		z := gzip.NewWriter(to)
		w := tar.NewWriter(z)
		err := write(w)
		if err == nil {
			err = w.Close()
		}
		if err == nil {
			err = z.Close()
		}
		_ = to.CloseWithError(err)
	}()
	return &counter{r: from}
}

// zeros is content without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestUnpack_Limits(t *testing.T) {
	few := limits{files: 100, free: 1 << 20}
	for name, tt := range map[string]struct {
		write func(*tar.Writer) error
		kind  fault.Kind
	}{
		"too many files": {func(w *tar.Writer) error {
			for i := range few.files + 1 {
				if err := w.WriteHeader(&tar.Header{Name: "./", Typeflag: tar.TypeDir, Format: tar.FormatUSTAR}); err != nil {
					return fmt.Errorf("%d: %w", i, err)
				}
			}
			return nil
		}, fault.Exhausted},
		"a bomb": {func(w *tar.Writer) error {
			if err := w.WriteHeader(&tar.Header{Name: "a", Size: 8 << 20, Typeflag: tar.TypeReg}); err != nil {
				return err
			}
			_, err := io.CopyN(w, zeros{}, 8<<20)
			return err
		}, fault.Exhausted},
		"a long name": {func(w *tar.Writer) error {
			return w.WriteHeader(&tar.Header{Name: strings.Repeat("n/", maxFileName) + "n", Typeflag: tar.TypeReg})
		}, fault.Exhausted},
		"a link": {func(w *tar.Writer) error {
			return w.WriteHeader(&tar.Header{Name: "a", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink})
		}, fault.Invalid},
		"outside":     {func(w *tar.Writer) error { return w.WriteHeader(&tar.Header{Name: "../a", Typeflag: tar.TypeReg}) }, fault.Invalid},
		"an absolute": {func(w *tar.Writer) error { return w.WriteHeader(&tar.Header{Name: "/a", Typeflag: tar.TypeReg}) }, fault.Invalid},
		"a file twice": {func(w *tar.Writer) error {
			for range 2 {
				if err := w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg}); err != nil {
					return err
				}
			}
			return nil
		}, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			packed := packedBy(tt.write)
			defer func() { _, _ = io.Copy(io.Discard, io.LimitReader(packed, 8<<20)) }()
			dir := t.TempDir()
			_, err := unpack(t.Context(), packed, dir, few)
			if !fault.Is(err, tt.kind) {
				t.Errorf("%v, want %s", err, tt.kind)
			}
			var held int64
			files, _ := os.ReadDir(dir)
			for _, f := range files {
				if info, err := f.Info(); err == nil {
					held += info.Size()
				}
			}
			if held > 4<<20 {
				t.Errorf("%d bytes were written", held)
			}
		})
	}
	if _, err := unpack(t.Context(), &counter{r: bytes.NewReader([]byte("no archive"))}, t.TempDir(), few); err == nil || fault.Is(err, fault.Exhausted) {
		t.Errorf("of another form: %v", err)
	}
}

func TestUnpack_Total(t *testing.T) {
	u := &unpacker{ctx: t.Context(), packed: &counter{n: maxPackedBytes}, free: freeBytes, total: maxArchiveBytes - 1}
	buffer := make([]byte, 2)
	if _, err := (limited{u, bytes.NewReader([]byte("ab"))}).Read(buffer); !fault.Is(err, fault.Exhausted) {
		t.Errorf("%v", err)
	}
}

// An archive that is too large by its header is not fetched.
func TestClient_UnpackTooLarge(t *testing.T) {
	for _, size := range []int64{maxPackedBytes, maxPackedBytes + 1} {
		if err := checkSize("fetch x", size); fault.Is(err, fault.Exhausted) != (size > maxPackedBytes) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
