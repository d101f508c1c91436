//go:build linux

package supervisor

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
)

// TestLiveness tells a replica that hangs from one that is busy, and from one that was
// not probed for a while.
func TestLiveness(t *testing.T) {
	type probe struct {
		after     time.Duration // since the previous one
		responds  bool
		computing bool // a whole core since the previous one
		stopped   bool
	}
	repeat := func(n int, p probe) (all []probe) {
		for range n {
			all = append(all, p)
		}
		return all
	}
	second, missed := time.Second, probe{after: 3 * time.Second}
	for _, c := range []struct {
		name         string
		probes       []probe
		unresponsive bool
		hung         string // part of the cause; "": it is not
	}{
		{"responds", repeat(50, probe{after: 5 * second, responds: true}), false, ""},
		{"misses one probe", append(repeat(3, missed), probe{second, true, false, false}, missed), false, ""},
		{"misses two probes", repeat(2, missed), true, ""},
		{"is silent for less than the limit", repeat(10, missed), true, ""},
		{"is silent for longer", repeat(11, missed), true, "no response to /ready for 30s"},
		{"responds just before the limit", append(repeat(10, missed), probe{second, true, false, false}, missed, missed), true, ""},
		{"computes for five minutes", repeat(99, probe{after: 3 * second, computing: true}), true, ""},
		{"computes for longer", repeat(101, probe{after: 3 * second, computing: true}), true, "no response to /ready for 5m0s"},
		{"computes now and then", append(repeat(8, missed), append(repeat(20, probe{after: 3 * second, computing: true}), missed, missed)...), true, ""},
		{"is stopped by a signal", repeat(2, probe{after: 3 * second, stopped: true}), true, "a signal has stopped the process"},
		{"is stopped, but another process responds", repeat(5, probe{after: 5 * second, responds: true, stopped: true}), false, ""},
		{"the supervisor sleeps for an hour between two probes", []probe{missed, missed, {after: time.Hour}}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, cpu := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), time.Duration(0)
			l := liveness{interval: 5 * second, limit: 30 * second, last: now}
			for _, p := range c.probes {
				if now = now.Add(p.after); p.computing {
					cpu += p.after
				}
				l.note(now, p.responds, container.Activity{CPU: cpu, Stopped: p.stopped})
			}
			err := l.hung("/ready")
			if (err != nil) != (c.hung != "") || err != nil && !strings.Contains(err.Error(), c.hung) {
				t.Errorf("hung: %v, want %q", err, c.hung)
			}
			if got := l.unresponsive(); got != c.unresponsive {
				t.Errorf("unresponsive: %v, want %v", got, c.unresponsive)
			}
		})
	}
}
