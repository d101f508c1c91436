package render_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/cli/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

func TestWrap(t *testing.T) {
	for name, c := range map[string]struct {
		text        string
		width, most int
		want        []string
		cut         bool
	}{
		"empty":             {"", 10, 2, []string{""}, false},
		"fits":              {"ten digits", 10, 1, []string{"ten digits"}, false},
		"cut":               {"eleven char", 10, 1, []string{"eleven ch…"}, true},
		"between words":     {"one two three four", 10, 3, []string{"one two", "three four"}, false},
		"cut after lines":   {"one two three four five six", 10, 2, []string{"one two", "three fou…"}, true},
		"a word too long":   {"abcdefghijklmnop", 10, 3, []string{"abcdefghij", "klmnop"}, false},
		"line breaks":       {"one\n\ttwo\r\n  three", 20, 1, []string{"one two three"}, false},
		"control sequences": {"\x1b[31mred", 20, 1, []string{"red"}, false},
		"other letters":     {"thử nghiệm", 10, 1, []string{"thử nghiệm"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, cut := render.Wrap(c.text, c.width, c.most)
			if diff := cmp.Diff(c.want, got); diff != "" || cut != c.cut {
				t.Errorf("cut = %v, want %v; lines (-want +got):\n%s", cut, c.cut, diff)
			}
		})
	}
}

func TestTable(t *testing.T) {
	got := render.Table([][]string{{"NAME", "STATE"}, {"thử", "a state that is too long"}}, 20)
	if diff := cmp.Diff([]string{"NAME  STATE", "thử   a state that …"}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// Where output is piped, every step that starts has a line, and long ones have more and
// more rarely.
func TestPiped_Heartbeats(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 29, 5, 0, 0, 0, time.UTC)
	p := render.NewPiped(&out, func() time.Time { return now })
	defer p.Close()
	emit := func(kind event.Kind, step, text string) {
		p.Emit(event.Event{Kind: kind, Step: step, Text: text, Outcome: delivery.OutcomeSucceeded})
	}
	emit(event.StepStarted, "build", "")
	emit(event.StepFinished, "build", "")
	emit(event.StepStarted, "train", "")
	emit(event.StepLog, "train", "epoch 1 of 90, and a line that is longer than a heartbeat shows of it, by far")
	for range 4 * 3600 { // four hours, second by second
		now = now.Add(time.Second)
		p.Beat()
	}
	emit(event.StepFinished, "train", "")
	p.Beat()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if diff := cmp.Diff([]string{
		"  build          started",
		"✔ build            0.0s",
		"  train          started",
		"  train          running for 30s  epoch 1 of 90, and a line that is longer than a heartbeat s…",
		"  train          running for 1m30s  epoch 1 of 90, and a line that is longer than a heartbeat s…",
	}, append([]string{"  " + lines[0]}, lines[1:5]...)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if n := len(lines); n > 40 {
		t.Errorf("%d lines in four hours, want at most 40", n)
	}
	if diff := cmp.Diff("✔ train            0.0s", lines[len(lines)-1]); diff != "" {
		t.Errorf("last line (-want +got):\n%s", diff)
	}
}

// TestPiped_ChangedReason: what a step waits for is said when it changes, at most every
// 15 s, whatever its numbers do.
func TestPiped_ChangedReason(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	p := render.NewPiped(&out, func() time.Time { return now })
	defer p.Close()
	p.Emit(event.Event{Kind: event.StepStarted, Step: "deploy"})
	for second := range 120 {
		text := fmt.Sprintf("0 of 2 pods ready; pod api-7f-x: waiting for a node (%ds)", second)
		switch {
		case second >= 70:
			text = fmt.Sprintf("1 of 2 pods ready; init container migrate of pod api-7f-x has not ended after %ds", second)
		case second >= 4:
			text = fmt.Sprintf("0 of 2 pods ready; init container migrate of pod api-7f-x has not ended after %ds", second)
		}
		now = time.Unix(int64(second), 0)
		p.Emit(event.Event{Kind: event.StepProgress, Step: "deploy", Text: text})
		p.Beat()
	}
	want := []string{
		"  deploy         started",
		"  deploy         running for 15s  0 of 2 pods ready; init container migrate of pod api-7f-x has not ended after 15s",
		"  deploy         running for 45s  0 of 2 pods ready; init container migrate of pod api-7f-x has not ended after 45s",
		"  deploy         running for 1m45s  1 of 2 pods ready; init container migrate of pod api-7f-x has not ended after 105s",
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
