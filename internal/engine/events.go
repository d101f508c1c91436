package engine

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/record"
)

// eventLog reports what happens in one run: to the sink, and to the run's events.jsonl
// for those who come later. Lines of step logs go to the sink only: they have
// files of their own. Nothing it does can fail a run.
type eventLog struct {
	e    *Engine
	run  delivery.RunID
	env  delivery.Environment
	mu   sync.Mutex
	file *os.File // nil: it could not be opened
}

// withEventLog opens the run's voice for a moment.
func (e *Engine) withEventLog(run record.Run, say func(*eventLog)) {
	v := e.openEventLog(run)
	say(v)
	v.close()
}

func (e *Engine) openEventLog(run record.Run) *eventLog {
	v := &eventLog{e: e, run: run.ID, env: run.Environment}
	dir := e.runDir(run.ID)
	if err := os.MkdirAll(dir, 0o755); err == nil {
		v.file, _ = os.OpenFile(filepath.Join(dir, "events.jsonl"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644) // nil is checked
	}
	return v
}

func (v *eventLog) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.file != nil {
		_ = v.file.Close() // events are written without a buffer
	}
}

// emit fills in the run and the time, hides secrets, and passes the event on.
func (v *eventLog) emit(ev event.Event) {
	ev.Run, ev.Environment = v.run, v.env
	if ev.Time.IsZero() {
		ev.Time = v.e.now()
	}
	ev = v.e.Redactor.Event(ev)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.append(ev)
	if v.e.Sink != nil {
		v.e.Sink.Emit(ev)
	}
}

func (v *eventLog) append(ev event.Event) {
	if v.file == nil || ev.Kind == event.StepLog {
		return
	}
	if line, err := json.Marshal(ev); err == nil {
		_, _ = v.file.Write(append(line, '\n')) // the records hold what counts
	}
}

// stepLog is a step's log: a file that is made with its first line, and an event
// per line.
type stepLog struct {
	voice *eventLog
	step  string
	path  string
	mu    sync.Mutex
	file  *os.File
	line  []byte
}

const maxLogLine = 64 << 10

// Write takes masked output. It never fails: a full disk must not stop a rollback.
func (l *stepLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		if os.MkdirAll(filepath.Dir(l.path), 0o755) == nil {
			l.file, _ = os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644) // nil is checked
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
	l.voice.emit(event.Event{Kind: event.StepLog, Step: l.step, Text: string(bytes.TrimRight([]byte(line), "\r\n"))})
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

func (e *Engine) runDir(id delivery.RunID) string {
	return RunDir(e.Home, id)
}

func seconds(from, to time.Time) float64 {
	if from.IsZero() || to.Before(from) {
		return 0
	}
	return to.Sub(from).Seconds()
}
