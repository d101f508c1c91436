package engine

import (
	"encoding/json"
	"os"
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

// withEventLog opens the run's event log for a moment.
func (e *Engine) withEventLog(run record.Run, say func(*eventLog)) {
	v := e.openEventLog(run)
	say(v)
	v.close()
}

func (e *Engine) openEventLog(run record.Run) *eventLog {
	v := &eventLog{e: e, run: run.ID, env: run.Environment}
	dir := e.runDir(run.ID)
	if err := os.MkdirAll(dir, 0o700); err == nil {
		v.file, _ = os.OpenFile(EventsPath(e.Home, run.ID), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600) // nil is checked
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

func (e *Engine) runDir(id delivery.RunID) string {
	return RunDir(e.Home, id)
}

func seconds(from, to time.Time) float64 {
	if from.IsZero() || to.Before(from) {
		return 0
	}
	return to.Sub(from).Seconds()
}
