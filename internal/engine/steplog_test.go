package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

// TestStepLog_Endless: a command that prints without end fills neither the disk nor the
// screen, and its last line is kept.
func TestStepLog_Endless(t *testing.T) {
	memorytest.Run(t, 48<<20, func() {
		dir := t.TempDir()
		var size, lines, cuts int
		var last string
		e := &Engine{Home: dir, Sink: event.SinkFunc(func(e event.Event) {
			size += len(e.Text)
			lines++
			last = e.Text
			if strings.HasSuffix(last, "bytes were left out here.") {
				cuts++
			}
		})}
		path := filepath.Join(dir, "logs", "unit.log")
		for attempt := range 2 {
			l := newStepLog(&eventLog{e: e}, "unit", path)
			part := []byte(strings.Repeat(strings.Repeat("x", 99)+"\n", 1000))
			for range 3000 { // 300 MB
				_, _ = l.Write(part)
			}
			_, _ = l.Write([]byte("the reason"))
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if last != "the reason" {
				t.Errorf("the last event of attempt %d is %.80q", attempt, last)
			}
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if limit := int64(maxStepLog + minAttemptLog + 4<<20); info.Size() > limit || int64(size) > limit {
			t.Errorf("the log of two attempts has %d bytes and its %d events %d, more than %d", info.Size(), lines, size, limit)
		}
		if cuts != 2 {
			t.Errorf("%d lines say that bytes were left out, want 2", cuts)
		}
	})
}
