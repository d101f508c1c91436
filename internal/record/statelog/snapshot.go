package statelog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// SnapshotInterval is how many entries lie between two snapshots, or a multiple of it.
const SnapshotInterval = 200

// Snapshot is all that the entries up to a position come to. It saves reading them;
// the entries stay the truth, until they are removed (Prune).
type Snapshot struct {
	After  Position        `json:"after"`
	Log    string          `json:"log"` // the log's ID
	Schema int             `json:"schema"`
	Packed delivery.Digest `json:"packed"` // of the packed content
	Stored delivery.Digest `json:"-"`      // of the object's bytes, once it was read

	packed []byte
}

// Content returns the records that were saved, in the form that the writer gave them.
// The caller closes it.
func (s Snapshot) Content() (io.ReadCloser, error) {
	r, err := zstd.NewReader(bytes.NewReader(s.packed), zstd.WithDecoderMaxMemory(maxUnpacked))
	if err != nil {
		return nil, err
	}
	return r.IOReadCloser(), nil
}

// SnapshotPrefix begins the keys of the snapshots.
const SnapshotPrefix = "snap/"

func snapshotKey(n int64) string { return fmt.Sprintf(SnapshotPrefix+"%012d.zst", n) }

// SaveSnapshot stores a snapshot with its content unless there is one of the position:
// any machine may write it. The object is a line of JSON, and the packed content.
func (l *Log) SaveSnapshot(ctx context.Context, s Snapshot, content io.Reader) error {
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err == nil {
		_, err = io.Copy(w, content)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return fmt.Errorf("pack a snapshot of the shared state after entry %d: %w", s.After.N, err)
	}
	s.Log, s.Packed = l.Identity.ID, delivery.DigestOf(packed.Bytes())
	head, err := json.Marshal(s)
	if err != nil {
		return err
	}
	err = l.Store.Create(ctx, snapshotKey(s.After.N), bytes.Join([][]byte{head, packed.Bytes()}, []byte("\n")))
	if errors.Is(err, port.ErrExists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("save a snapshot of the shared state after entry %d: %w", s.After.N, err)
	}
	return nil
}

// NewestSnapshot returns the newest snapshot of records up to that version that can be
// read, the zero one without any.
func (l *Log) NewestSnapshot(ctx context.Context, schema int) (Snapshot, error) {
	numbers, err := l.Snapshots(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	for i := len(numbers) - 1; i >= 0; i-- {
		s, err := l.Snapshot(ctx, numbers[i])
		if err == nil && s.Schema <= schema {
			return s, nil
		}
		if err != nil && !fault.Is(err, fault.Corrupt) && !fault.Is(err, fault.NotFound) {
			return Snapshot{}, err
		}
	}
	return Snapshot{}, nil
}

// Snapshots returns the numbers of the entries that there are snapshots after, ascending.
func (l *Log) Snapshots(ctx context.Context) ([]int64, error) {
	numbers, err := l.numbers(ctx, SnapshotPrefix)
	if err != nil {
		return nil, fmt.Errorf("list the snapshots of the shared state: %w", err)
	}
	return numbers, nil
}

// Snapshot returns the snapshot after entry n; fault.NotFound without one.
func (l *Log) Snapshot(ctx context.Context, n int64) (s Snapshot, err error) {
	raw, err := l.getUpTo(ctx, snapshotKey(n), maxUnpacked)
	if err != nil {
		return s, err
	}
	head, packed, _ := bytes.Cut(raw, []byte("\n"))
	err = json.Unmarshal(head, &s)
	if err == nil && delivery.DigestOf(packed) != s.Packed {
		err = errors.New("it is not what was written")
	}
	if err != nil {
		return s, fault.New(fault.Corrupt, "read the snapshot after entry %d of the shared state", n).Cause(err)
	}
	if s.After.N != n || s.Log != l.Identity.ID {
		return s, fault.New(fault.Corrupt, "the snapshot after entry %d is of entry %d of log %s", n, s.After.N, s.Log)
	}
	s.Stored, s.packed = delivery.DigestOf(raw), packed
	return s, nil
}
