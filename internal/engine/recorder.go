package engine

import (
	"context"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/record"
)

// recorder writes step records. The journal holds the truth about what a run did;
// the records tell it to people. So they may come a moment later and many at a
// time, except where something depends on one: saveNow.
type recorder struct {
	base  context.Context // never ends
	store record.StepHistory
	fail  func(error)

	mu      sync.Mutex
	pending []record.StepRecord
	timer   *time.Timer // runs while something is pending

	writing sync.Mutex
}

// batchInterval is how long records wait for company.
const batchInterval = 20 * time.Millisecond

// save keeps the record soon.
func (b *recorder) save(r record.StepRecord) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = append(b.pending, r)
	if b.timer == nil {
		b.timer = time.AfterFunc(batchInterval, func() {
			if err := b.flush(b.base); err != nil {
				b.fail(err)
			}
		})
	}
}

// saveNow keeps the record, and all before it, before it returns.
func (b *recorder) saveNow(ctx context.Context, r record.StepRecord) error {
	b.mu.Lock()
	b.pending = append(b.pending, r)
	b.mu.Unlock()
	return b.flush(ctx)
}

// flush keeps everything that is pending before it returns.
func (b *recorder) flush(ctx context.Context) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	batch := b.pending
	b.pending = nil
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	b.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	if many, ok := b.store.(record.StepBatcher); ok {
		return many.SaveSteps(ctx, newestByStep(batch))
	}
	for _, r := range newestByStep(batch) {
		if err := b.store.SaveStep(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// newestByStep drops records that a later one of the same step replaces.
func newestByStep(batch []record.StepRecord) []record.StepRecord {
	at := make(map[string]int, len(batch))
	out := batch[:0]
	for _, r := range batch {
		if i, ok := at[r.Name]; ok {
			out[i] = r
			continue
		}
		at[r.Name] = len(out)
		out = append(out, r)
	}
	return out
}
