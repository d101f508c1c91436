package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"

	"github.com/slipway-cd/slipway/internal/event"
)

// stepLog is a step's log: a file that is made with its first line, and an event
// per line.
type stepLog struct {
	events *eventLog
	step   string
	path   string
	mu     sync.Mutex
	file   *os.File
	line   []byte
}

const maxLogLine = 64 << 10

// Write takes masked output. It never fails: a full disk must not stop a rollback.
func (l *stepLog) Write(p []byte) (int, error) {
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

// Close emits the last line if it has no line end.
func (l *stepLog) Close() error {
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
