package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"

	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/logcap"
)

// stepLog is a step's log: a file that is made with its first line, and an event
// per line. Both have the beginning and the end of what is longer than maxStepLog.
type stepLog struct {
	events *eventLog
	step   string
	path   string
	capped *logcap.Writer

	mu   sync.Mutex
	file *os.File
	line []byte
}

const (
	// maxStepLog is more than a job's log may have, so that its last lines are kept here,
	// too.
	maxStepLog = 64 << 20
	// minAttemptLog is what another attempt of the step may write after a long one, in bytes.
	minAttemptLog = 4 << 20

	maxLogLine = 64 << 10
)

// newStepLog returns the log of another attempt of the step.
func newStepLog(events *eventLog, step, path string) *stepLog {
	l := &stepLog{events: events, step: step, path: path}
	room := int64(maxStepLog)
	if earlier, err := os.Stat(path); err == nil {
		room = max(room-earlier.Size(), minAttemptLog)
	}
	l.capped = logcap.New(stepLogOutput{l}, room)
	return l
}

// Write takes masked output. It never fails: a full disk must not stop a rollback.
func (l *stepLog) Write(p []byte) (int, error) { return l.capped.Write(p) }

// stepLogOutput receives what is within the limit.
type stepLogOutput struct{ *stepLog }

func (l stepLogOutput) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		if os.MkdirAll(filepath.Dir(l.path), 0o700) == nil {
			l.file, _ = os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600) // nil is checked
		}
	}
	if l.file != nil {
		_, _ = l.file.Write(p)
	}
	l.line = append(l.line, p...)
	for {
		end := bytes.IndexByte(l.line, '\n')
		if end < 0 && len(l.line) < maxLogLine {
			return len(p), nil
		}
		if end < 0 {
			end = len(l.line) - 1
		}
		l.emitLine(string(l.line[:end+1]))
		l.line = l.line[end+1:]
	}
}

func (l *stepLog) emitLine(line string) {
	l.events.emit(event.Event{Kind: event.StepLog, Step: l.step, Text: string(bytes.TrimRight([]byte(line), "\r\n"))})
}

// Close adds the end of what was too long, and emits the last line if it has no line end.
func (l *stepLog) Close() error {
	_ = l.capped.Close() // what it writes to never fails
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.line) > 0 {
		l.emitLine(string(l.line))
		l.line = nil
	}
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
