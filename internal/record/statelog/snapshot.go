package statelog

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// SnapshotInterval is how many entries lie between two snapshots.
const SnapshotInterval = 200

// Snapshot is all that the entries up to a position come to. It saves reading them;
// the entries stay the truth.
type Snapshot struct {
	After  Position        `json:"after"`
	Log    string          `json:"log"` // the log's ID
	Schema int             `json:"schema"`
	Rows   json.RawMessage `json:"rows"`
}

func snapshotKey(n int64) string { return fmt.Sprintf("snap/%012d.json.deflate", n) }

// SaveSnapshot stores a snapshot unless there is one of the position: any machine may
// write it.
func (l *Log) SaveSnapshot(ctx context.Context, s Snapshot) error {
	s.Log = l.Identity.ID
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err == nil {
		err = json.NewEncoder(w).Encode(s)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = l.Store.Create(ctx, snapshotKey(s.After.N), packed.Bytes())
	}
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
	numbers, err := l.snapshots(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	for i := len(numbers) - 1; i >= 0; i-- {
		s, err := l.snapshot(ctx, numbers[i])
		if err == nil && s.Schema <= schema {
			return s, nil
		}
		if err != nil && !fault.Is(err, fault.Corrupt) && !fault.Is(err, fault.NotFound) {
			return Snapshot{}, err
		}
	}
	return Snapshot{}, nil
}

// snapshots returns the numbers of the snapshots, ascending.
func (l *Log) snapshots(ctx context.Context) (numbers []int64, err error) {
	const limit = 1000
	for after := ""; ; {
		found, err := l.Store.List(ctx, "snap/", after, limit)
		if err != nil {
			return nil, fmt.Errorf("list the snapshots of the shared state: %w", err)
		}
		for _, o := range found {
			digits, _, _ := strings.Cut(strings.TrimPrefix(o.Key, "snap/"), ".")
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
				numbers = append(numbers, n)
			}
			after = o.Key
		}
		if len(found) < limit {
			return numbers, nil
		}
	}
}

func (l *Log) snapshot(ctx context.Context, n int64) (s Snapshot, err error) {
	r, _, err := l.Store.Open(ctx, snapshotKey(n))
	if err != nil {
		return s, err
	}
	defer r.Close()
	unpacked := flate.NewReader(r)
	defer unpacked.Close()
	const maxSnapshot = 1 << 30
	if err := json.NewDecoder(io.LimitReader(unpacked, maxSnapshot)).Decode(&s); err != nil {
		return s, fault.New(fault.Corrupt, "read the snapshot after entry %d of the shared state", n).Cause(err)
	}
	if s.After.N != n || s.Log != l.Identity.ID {
		return s, fault.New(fault.Corrupt, "the snapshot after entry %d is of entry %d of log %s", n, s.After.N, s.Log)
	}
	return s, nil
}
