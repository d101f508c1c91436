package blob_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/slipway-cd/slipway/internal/blob"
)

func TestDecompress(t *testing.T) {
	text := bytes.Repeat([]byte("a layer"), 1000)
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	_, err := z.Write(text)
	enc, bad := zstd.NewWriter(nil)
	if err := errors.Join(err, z.Close(), bad); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ raw, want []byte }{
		"gzip": {gz.Bytes(), text}, "zstd": {enc.EncodeAll(text, nil), text}, "plain": {text, text}, "short": {[]byte("ab"), []byte("ab")}, "empty": {nil, nil},
	} {
		r, err := blob.Decompress(bufio.NewReader(bytes.NewReader(c.raw)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// TestWindow: a few bytes must not take a gigabyte of memory.
func TestWindow(t *testing.T) {
	// A frame without a content size whose window is 1 GiB, and an empty last block.
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00}
	r, err := blob.Decompress(bufio.NewReader(bytes.NewReader(frame)))
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if !errors.Is(err, zstd.ErrWindowSizeExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestReaderStops(t *testing.T) {
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	r := blob.ContextReader(ctx, bytes.NewReader([]byte("abc")))
	if n, err := r.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	cancel(stopped)
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, stopped) {
		t.Errorf("%d, %v", n, err)
	}
}
