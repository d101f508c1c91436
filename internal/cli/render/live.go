package render

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/termtext"
)

// Live shows finished steps as lines that stay, and below them the steps that
// run now, redrawn in place.
type Live struct {
	w     io.Writer
	width func() int
	now   func() time.Time
	lines *Lines

	mu      sync.Mutex
	running running
	drawn   int // lines of the last drawing
	tick    int
	stop    chan struct{}
	done    sync.WaitGroup
}

// NewLive starts redrawing ten times a second until Close. width is the
// terminal's, in columns.
func NewLive(w io.Writer, width func() int, now func() time.Time, color bool) *Live {
	l := &Live{w: w, width: width, now: now, stop: make(chan struct{})}
	l.lines = &Lines{W: w, Color: color}
	l.done.Go(l.redraw)
	return l
}

func (l *Live) redraw() {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-t.C:
			l.mu.Lock()
			l.tick++
			l.wipe()
			l.draw()
			l.mu.Unlock()
		}
	}
}

// Emit takes the event into the picture.
func (l *Live) Emit(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
	l.running.take(clean(e), e.Time)
	l.lines.Emit(e)
	l.draw()
}

// Close wipes what was running.
func (l *Live) Close() {
	close(l.stop)
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
}

func (l *Live) wipe() {
	if l.drawn > 0 {
		fmt.Fprintf(l.w, "\x1b[%dA\x1b[J", l.drawn)
		l.drawn = 0
	}
}

func (l *Live) draw() {
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	for _, a := range l.running {
		line := fmt.Sprintf("%c %-14s %5.1fs  %s", frames[l.tick%len(frames)], a.step, l.now().Sub(a.since).Seconds(), printable(a.text))
		fmt.Fprintln(l.w, cut(line, l.width()-1))
		l.drawn++
	}
}

// printable returns s as one line that a terminal only shows.
func printable(s string) string { return oneLine.Replace(termtext.String(s)) }

var oneLine = strings.NewReplacer("\n", " ", "\t", " ")

func cut(s string, width int) string {
	r := []rune(s)
	if width > 1 && len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return s
}
