package statelog

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// maxInline is how many bytes of rows an entry holds itself. A whole history that is
// brought into an empty log has many more, and is one entry nevertheless: others see all
// of it, or nothing.
const maxInline = 1 << 20

// maxUnpacked is how many bytes packed rows, or a snapshot, may come to.
const maxUnpacked = 1 << 30

// RowsPrefix begins the keys of rows that are not in their entry.
const RowsPrefix = "rows/"

// rowsKey begins with the entry's number: who removes the entry finds it.
func rowsKey(n int64, packed delivery.Digest) string {
	return fmt.Sprintf(RowsPrefix+"%012d-%s.json.deflate", n, strings.TrimPrefix(string(packed), "sha256:"))
}

// pack moves many rows to an object of their own, which is there before the entry is.
func (l *Log) pack(ctx context.Context, e Entry) (Entry, error) {
	if len(e.Rows) <= maxInline {
		return e, nil
	}
	raw, err := deflate(e.Rows)
	if err != nil {
		return e, fmt.Errorf("pack the rows of entry %d of the shared state: %w", e.N, err)
	}
	e.Rows, e.Packed = nil, delivery.DigestOf(raw)
	err = insist(ctx, func() error { return ignoreExists(l.Store.Create(ctx, rowsKey(e.N, e.Packed), raw)) })
	if err != nil {
		return e, fmt.Errorf("store the rows of entry %d of the shared state: %w", e.N, err)
	}
	return e, nil
}

// ignoreExists forgives an object that is there already: its key has its digest.
func ignoreExists(err error) error {
	if errors.Is(err, port.ErrExists) {
		return nil
	}
	return err
}

// unpack returns the rows of an entry.
func (l *Log) unpack(ctx context.Context, e Entry) (json.RawMessage, error) {
	if e.Packed == "" {
		return e.Rows, nil
	}
	raw, err := l.getUpTo(ctx, rowsKey(e.N, e.Packed), maxUnpacked)
	if fault.Is(err, fault.NotFound) {
		return nil, l.explainHole(ctx, e.N)
	}
	if err != nil {
		return nil, err
	}
	if delivery.DigestOf(raw) != e.Packed {
		return nil, corrupt(e.N, "its rows are not those that were written")
	}
	rows, err := inflate(raw, maxUnpacked)
	if err != nil {
		return nil, corrupt(e.N, "its rows can't be read").Cause(err)
	}
	return rows, nil
}

func deflate(raw []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(raw)
	}
	if err == nil {
		err = w.Close()
	}
	return packed.Bytes(), err
}

func inflate(raw []byte, limit int) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(raw))
	defer r.Close()
	rows, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(rows) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return rows, err
}
