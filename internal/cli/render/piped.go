package render

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/event"
)

// How long a step runs until a line says so, doubled each time up to the maximum: the
// log of a CI shows that the run is alive, and stays short.
const (
	firstHeartbeat = 30 * time.Second
	maxHeartbeat   = 10 * time.Minute
)

// minReasonPause is the pause between two lines about a step that waits for something
// else than before: without a terminal, nothing else shows why a run takes so long.
const minReasonPause = 15 * time.Second

// Piped writes plain lines where no terminal shows what is running: besides those of
// Lines one when a step starts, and heartbeats of steps that take long.
type Piped struct {
	lines *Lines
	now   func() time.Time

	mu      sync.Mutex
	running running
	stop    chan struct{}
	done    sync.WaitGroup
}

// NewPiped starts looking for long steps every second, until Close.
func NewPiped(w io.Writer, now func() time.Time) *Piped {
	p := &Piped{lines: &Lines{W: w}, now: now, stop: make(chan struct{})}
	p.done.Go(func() {
		t := time.NewTicker(time.Second)
		defer t.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-t.C:
				p.Beat()
			}
		}
	})
	return p
}

// Emit writes the event's line, if it has one.
func (p *Piped) Emit(e event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e = clean(e)
	p.running.take(e, p.now())
	if e.Kind == event.StepStarted {
		p.lines.Flush()
		if !isUndo(e.Step) { // what it does is shown, if there is something to take back
			fmt.Fprintf(p.lines.W, "  %-14s started\n", e.Step)
		}
	}
	p.lines.Emit(e)
}

// Beat writes a line for each step that has run for long enough since the last one, or
// waits for something else since then.
func (p *Piped) Beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, b := range p.running {
		due := !now.Before(b.beat.Add(b.pause))
		if !due && (b.reason() == b.shown || now.Before(b.beat.Add(minReasonPause))) {
			continue
		}
		length := maxBeatText
		if b.progress {
			length = maxReasonText
		}
		fmt.Fprintf(p.lines.W, "  %-14s running for %s%s\n", b.step, now.Sub(b.since).Round(time.Second), suffix(Cut(b.text, length)))
		b.beat, b.shown = now, b.reason()
		if due {
			b.pause = min(2*b.pause, maxHeartbeat)
		}
	}
}

// How much a heartbeat shows of a step's last output, and of what it waits for.
const (
	maxBeatText   = 60
	maxReasonText = 240
)

// Close ends the heartbeats.
func (p *Piped) Close() {
	close(p.stop)
	p.done.Wait()
}
