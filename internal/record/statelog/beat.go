package statelog

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

const beatPrefix = "beat/"

// beatKey names the epoch, so that the beat of an owner who was replaced does not
// make the new one look alive.
func beatKey(run delivery.RunID, epoch int64) string {
	return fmt.Sprintf(beatPrefix+"%s-%d", run, epoch)
}

// Beat records that the owner of the run lives.
func (l *Log) Beat(ctx context.Context, run delivery.RunID, epoch int64) error {
	if err := l.Store.Put(ctx, beatKey(run, epoch), strings.NewReader("")); err != nil {
		return fmt.Errorf("record that run %s is being worked on: %w", run, err)
	}
	return nil
}

// SinceBeat returns how long ago the owner's last beat was; ok is false if there was
// none. It compares two times of the store's own clock, so no machine's clock has to be
// right.
func (l *Log) SinceBeat(ctx context.Context, run delivery.RunID, epoch int64) (since time.Duration, ok bool, err error) {
	beat, err := l.modTime(ctx, beatKey(run, epoch))
	if fault.Is(err, fault.NotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	now, err := l.Now(ctx)
	return max(0, now.Sub(beat)), err == nil, err
}

const probePrefix = "probe/"

// Now returns the time by the store's clock.
func (l *Log) Now(ctx context.Context) (time.Time, error) {
	key := probePrefix + rand.Text()
	if err := l.Store.Put(ctx, key, strings.NewReader("")); err != nil {
		return time.Time{}, err
	}
	now, err := l.modTime(ctx, key)
	if err != nil {
		return time.Time{}, err
	}
	return now, l.Store.Delete(ctx, key)
}

func (l *Log) modTime(ctx context.Context, key string) (time.Time, error) {
	r, o, err := l.Store.Open(ctx, key)
	if err != nil {
		return time.Time{}, err
	}
	return o.ModTime, r.Close()
}

// RemoveBeat removes the owner's beat: it has let the run go.
func (l *Log) RemoveBeat(ctx context.Context, run delivery.RunID, epoch int64) error {
	return l.Store.Delete(ctx, beatKey(run, epoch))
}
