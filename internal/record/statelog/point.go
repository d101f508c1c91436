package statelog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// ErrPruned is the error of Read if the entries that follow the position were removed:
// what they came to is in the newest snapshot.
var ErrPruned = errors.New("entries of the shared state were removed by `slipway state prune`")

// PrunePoint is where a log begins after entries were removed: those up to the position
// may be missing, and the snapshot there is what they came to. It is written before the
// first of them is removed, so whoever misses an entry finds the point.
type PrunePoint struct {
	After    Position        `json:"after"`
	Snapshot delivery.Digest `json:"snapshot"` // of the bytes of the snapshot's object
	At       time.Time       `json:"at"`       // for people: nothing depends on it
}

// PointPrefix begins the keys of the prune points.
const PointPrefix = "pruned/"

func pointKey(n int64) string { return fmt.Sprintf(PointPrefix+"%012d.json", n) }

// recency is how long it stays certain that no entry after a position was removed: an
// entry that was not there a moment ago is far too young (MinRetention). Only a process
// that was paused, with its machine's clocks, for all of the retention is wrong about it.
const recency = 5 * time.Minute

// confirmation remembers that no entry after a position had been removed, because there
// was none. So neither reading nor adding needs a look at the prune points each time.
type confirmation struct {
	mu sync.Mutex
	n  int64 // of the newest entry then
	at wait.Moment
}

// covers reports whether no entry after n can have been removed.
func (c *confirmation) covers(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.at.IsZero() && n >= c.n && c.at.Since() < recency
}

// confirm notes that entry n was the newest one at that wait.Moment.
func (c *confirmation) confirm(n int64, at wait.Moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || at.Since() < c.at.Since() {
		c.n, c.at = n, at
	}
}

// checkNewest reports whether entry n, after which none was found at the moment asked,
// is the newest one, or one was added since. It is ErrPruned if those after it were
// removed, and fault.Corrupt if they are missing.
func (l *Log) checkNewest(ctx context.Context, n int64, asked wait.Moment) (bool, error) {
	if l.confirmed.covers(n) {
		l.confirmed.confirm(n, asked)
		return true, nil
	}
	pruned, err := l.prunedAfter(ctx, n)
	if err != nil {
		return false, err
	}
	if pruned {
		return false, ErrPruned
	}
	later, err := l.Store.List(ctx, "log/", entryKey(n), 1)
	if err != nil {
		return false, fmt.Errorf("look for later entries of the shared state: %w", err)
	}
	if len(later) == 0 {
		l.confirmed.confirm(n, asked)
		return true, nil
	}
	next, err := l.getIfThere(ctx, entryKey(n+1)) // it may be new
	if err == nil && next == nil {
		err = corrupt(n+1, "it is missing, and %s is there", later[0].Key)
	}
	return false, err
}

// prunedAfter reports whether there is a prune point after entry n.
func (l *Log) prunedAfter(ctx context.Context, n int64) (bool, error) {
	found, err := l.Store.List(ctx, PointPrefix, pointKey(n), 1)
	if err != nil {
		return false, fmt.Errorf("look up what was removed from the shared state: %w", err)
	}
	return len(found) > 0, nil
}

// PrunePoint returns the newest prune point; the zero one without any.
func (l *Log) PrunePoint(ctx context.Context) (p PrunePoint, err error) {
	numbers, err := l.numbers(ctx, PointPrefix)
	if err != nil || len(numbers) == 0 {
		return p, err
	}
	n := numbers[len(numbers)-1]
	raw, err := l.get(ctx, pointKey(n))
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(raw, &p); err != nil || p.After.N != n || !p.After.Digest.Valid() {
		return p, fault.New(fault.Corrupt, "%s of the shared state is damaged", pointKey(n)).Cause(err).Hint("restore it from a backup or an older version")
	}
	return p, nil
}

// numbers returns the numbers in the keys with the prefix, ascending.
func (l *Log) numbers(ctx context.Context, prefix string) (numbers []int64, err error) {
	for o, err := range port.AllObjects(ctx, l.Store, prefix) {
		if err != nil {
			return nil, err
		}
		if n, ok := numberOf(o.Key, prefix); ok {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// numberOf returns the number in a key such as log/000000000007.json.
func numberOf(key, prefix string) (n int64, ok bool) {
	digits := strings.TrimPrefix(key, prefix)
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}
