package metrics

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

// TestWindow_SurvivesResets: what a process had counted before it ended stays in the
// sum, whether its container was restarted, its pod replaced, or its counters set back.
func TestWindow_SurvivesResets(t *testing.T) {
	type look map[counters]port.Sample
	count := func(requests, errors int64) port.Sample { return port.Sample{Requests: requests, Errors: errors} }
	a, restarted, b := counters{pod: "1", name: "a"}, counters{pod: "1", name: "a", restarts: 1}, counters{pod: "2", name: "b"}
	for _, c := range []struct {
		name  string
		looks []look
		want  port.Sample
	}{
		{"since the first look", []look{{a: count(100, 7)}, {a: count(160, 8)}}, count(60, 1)},
		{"restarted", []look{{a: count(100, 0)}, {a: count(160, 2)}, {restarted: count(30, 0)}}, port.Sample{Requests: 90, Errors: 2, Resets: 1}},
		{"restarted, and busier than before", []look{{a: count(100, 0)}, {a: count(160, 0)}, {restarted: count(300, 0)}}, port.Sample{Requests: 360, Resets: 1}},
		{"set back", []look{{a: count(100, 0)}, {a: count(160, 2)}, {a: count(30, 0)}, {a: count(400, 1)}}, port.Sample{Requests: 460, Errors: 3, Resets: 1}},
		{"set back twice", []look{{a: count(0, 0)}, {a: count(60, 0)}, {a: count(30, 0)}, {a: count(10, 0)}}, port.Sample{Requests: 100, Resets: 2}},
		{"one of two is gone", []look{{a: count(0, 0), b: count(0, 0)}, {a: count(10, 1), b: count(10, 0)}, {b: count(20, 0)}}, count(30, 1)},
		{"replaced", []look{{a: count(5, 0)}, {a: count(10, 1)}, {b: count(20, 0)}}, count(25, 1)},
		{"none is ready", []look{{a: count(0, 0)}, {a: count(10, 1)}, {}}, count(10, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWindow(time.Time{}, c.looks[0])
			var got port.Sample
			for _, l := range c.looks {
				got = w.add(l)
			}
			if got.Requests != c.want.Requests || got.Errors != c.want.Errors || got.Resets != c.want.Resets {
				t.Errorf("sum = %+v, want %+v", got, c.want)
			}
		})
	}
}
