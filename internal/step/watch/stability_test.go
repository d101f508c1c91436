package watch

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// scene is what a target reports at some second of the bake: replicas of the release.
type scene struct {
	second int
	wanted int
	seen   []port.Replica
}

func ready(name string, restarts int) port.Replica {
	return port.Replica{Name: name, State: port.ReplicaReady, Restarts: restarts}
}

func unready(name string) port.Replica {
	return port.Replica{Name: name, State: port.ReplicaStarting}
}

// ended adds how the replica ended before its restart, at that second of the bake.
func ended(r port.Replica, second int, infrastructure bool) port.Replica {
	at := time.Unix(0, 0).Add(time.Duration(second) * time.Second)
	r.LastEnd = &port.ReplicaEnd{Cause: "container api was killed by its liveness probe: 503", At: at, Infrastructure: infrastructure}
	return r
}

// readySince says since which second of the bake the replica is ready.
func readySince(r port.Replica, second int) port.Replica {
	r.ReadySince = time.Unix(1000, 0).Add(time.Duration(second) * time.Second)
	return r
}

// stabilityCase is a bake of a minute, its verdict, and words of its evidence.
type stabilityCase struct {
	name      string
	scenes    []scene
	limits    step.WatchThresholds
	fails     bool
	blameless bool
	says      string // empty: nothing is noted
}

func stabilityCases() []stabilityCase {
	two := []port.Replica{ready("a", 0), ready("b", 0)}
	seconds := func(d int) delivery.Duration { return delivery.Duration(d) * delivery.Duration(time.Second) }
	return []stabilityCase{
		{name: "steady", scenes: []scene{{0, 2, two}, {30, 2, two}, {60, 2, two}}},
		{name: "killed by liveness", scenes: []scene{{0, 2, two}, {25, 2, []port.Replica{ended(ready("a", 1), 24, false), ready("b", 0)}}},
			fails: true, says: "a restarted: container api was killed by its liveness probe"},
		{name: "without a reported end", scenes: []scene{{0, 2, two}, {25, 2, []port.Replica{ready("a", 1), ready("b", 0)}}}, fails: true, says: "a restarted"},
		{name: "crashed before it got the traffic", scenes: []scene{{0, 1, []port.Replica{ended(ready("a", 1), -3, false)}}, {60, 1, []port.Replica{ended(ready("a", 1), -3, false)}}}},
		{name: "seen by a process before this one", scenes: []scene{{40, 1, []port.Replica{ended(ready("a", 2), 20, false)}}}, fails: true, says: "a restarted"},
		{name: "a replica that came later", scenes: []scene{{0, 1, two[:1]}, {20, 2, []port.Replica{two[0], unready("b")}}, {30, 2, []port.Replica{two[0], ready("b", 1)}}}, fails: true, says: "b restarted"},
		{name: "its node was restarted", scenes: []scene{{0, 2, two}, {25, 2, []port.Replica{ended(ready("a", 1), 24, true), ready("b", 0)}}}, says: "a restarted"},
		{name: "allowed", limits: step.WatchThresholds{Restarts: 1}, scenes: []scene{{0, 2, two}, {25, 2, []port.Replica{ready("a", 1), ready("b", 0)}}}, says: "a restarted"},
		{name: "more than allowed", limits: step.WatchThresholds{Restarts: 1}, scenes: []scene{{0, 2, two}, {25, 2, []port.Replica{ready("a", 1), ready("b", 1)}}}, fails: true, says: "b restarted"},

		{name: "not ready for a while", scenes: []scene{{0, 2, two}, {10, 2, []port.Replica{two[0], unready("b")}}, {18, 2, two}}, says: "fewer than 2 replicas were ready for 8s; a replica stopped being ready"},
		{name: "not ready for too long", scenes: []scene{{0, 2, two}, {10, 2, []port.Replica{two[0], unready("b")}}, {21, 2, two}}, fails: true, says: "for 11s"},
		{name: "again and again", scenes: []scene{
			{0, 2, two}, {10, 2, []port.Replica{two[0], unready("b")}}, {14, 2, two}, {20, 2, []port.Replica{two[0], unready("b")}}, {24, 2, two},
			{30, 2, []port.Replica{two[0], unready("b")}}, {34, 2, two},
		}, fails: true, says: "stopped being ready 3 times"},
		{name: "between two looks", scenes: []scene{
			{0, 1, []port.Replica{readySince(ready("a", 0), -5)}}, {10, 2, []port.Replica{readySince(ready("a", 0), 8)}}, {12, 2, []port.Replica{readySince(ready("a", 0), 8), unready("b")}},
		}},
		{name: "allowed for longer", limits: step.WatchThresholds{Unready: seconds(30)}, scenes: []scene{{0, 2, two}, {10, 2, []port.Replica{two[0], unready("b")}}, {30, 2, two}}, says: "for 20s"},
		{name: "evicted, and slow to start elsewhere", scenes: []scene{{0, 2, two}, {10, 2, two[:1]}, {15, 2, []port.Replica{two[0], unready("c")}}, {25, 2, two}},
			fails: true, blameless: true, says: "fewer than 2 replicas were ready for 15s"},
		{name: "none is ready", scenes: []scene{{0, 2, two}, {10, 2, []port.Replica{unready("a"), unready("b")}}, {14, 2, two}}, fails: true, says: "no replica was ready for 4s"},
		{name: "scaled up", scenes: []scene{{0, 2, two}, {10, 4, []port.Replica{two[0], two[1], unready("c"), unready("d")}}, {60, 4, []port.Replica{two[0], two[1], unready("c"), unready("d")}}}},
		{name: "scaled down", scenes: []scene{{0, 2, two}, {10, 1, []port.Replica{two[0], {Name: "b", State: port.ReplicaDraining}}}, {40, 1, two[:1]}}},
	}
}

// TestStability judges a release by its replicas, whatever its traffic looks like.
func TestStability(t *testing.T) {
	const id = delivery.ReleaseID("r-1")
	for _, c := range stabilityCases() {
		t.Run(c.name, func(t *testing.T) {
			s := newStability(time.Unix(0, 0))
			var o observation
			for _, scene := range c.scenes {
				obs := port.Observation{Release: id, Wanted: scene.wanted}
				for _, r := range scene.seen {
					r.Release = id
					obs.Replicas = append(obs.Replicas, r)
				}
				s.note(obs, id, time.Unix(0, 0).Add(time.Duration(scene.second)*time.Second))
				if o = s.check(step.WatchParams{Bake: delivery.Duration(time.Minute), Thresholds: c.limits}); o.failure != "" {
					break
				}
			}
			if (o.failure != "") != c.fails || o.blameless != c.blameless {
				t.Errorf("failure = %q, blameless = %v; want failure: %v, blameless: %v", o.failure, o.blameless, c.fails, c.blameless)
			}
			evidence := ""
			for _, r := range o.results {
				evidence += r.Evidence + "; "
			}
			if !strings.Contains(evidence, c.says) || (evidence == "") != (c.says == "") {
				t.Errorf("evidence = %q, want %q in it", evidence, c.says)
			}
			if c.fails && o.hint == "" {
				t.Error("no hint")
			}
		})
	}
}

// TestRun_RestartFailsBake: the requests look fine, as those of the time in which it was
// down are in no counter.
func TestRun_RestartFailsBake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t)
		s.setTraffic(0, port.Traffic{Requests: 207, Resets: 1})
		begun := time.Now()
		s.Target.Restarts = func(delivery.ReleaseID) (int, string) {
			if time.Since(begun) < 25*time.Second {
				return 0, ""
			}
			return 1, "exit code 137 (OOMKilled)"
		}
		res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Minute)})
		if err != nil || res.Outcome != delivery.OutcomeFailed || res.InfrastructureFailure {
			t.Fatalf("outcome = %s (%q), InfrastructureFailure = %v, error = %v, want a failure of the release", res.Outcome, res.Cause, res.InfrastructureFailure, err)
		}
		if !strings.Contains(res.Cause, "OOMKilled") || time.Since(begun) > 28*time.Second {
			t.Errorf("cause = %q after %s, want that of the restart, soon after it", res.Cause, time.Since(begun))
		}
		s.wantAccepted(t, false)
	})
}

func TestAnalyze_NamesResets(t *testing.T) {
	o := analyze(step.WatchThresholds{}, port.Traffic{Requests: 100, Resets: 2}, time.Minute)
	if got := o.results[0].Evidence; !strings.HasSuffix(got, "; counters of replicas began anew 2 times") {
		t.Errorf("evidence = %q", got)
	}
}
