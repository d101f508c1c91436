package watch

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

const (
	// minUnready is how long too few replicas may be ready in any bake: one that was
	// evicted has to start elsewhere.
	minUnready = 10 * time.Second
	// unreadyShare is the share of the bake time for which too few may be ready.
	unreadyShare = 10
	// maxNoneReady is how long no replica at all may be ready: users get nothing then.
	maxNoneReady = 3 * time.Second
	// maxCauses is how many ends are named.
	maxCauses = 2
)

// stability is what was seen of a release's replicas since it got the traffic. Requests
// alone do not show it: what was sent to a replica that ended is in no counter.
type stability struct {
	since    time.Time
	known    map[string]replicaSeen // by name
	restarts int                    // of the release's own doing
	causes   []string               // of all restarts, the oldest first
	lost     int                    // how often a replica stopped being ready without a restart
	wanted   int                    // the lowest number so far: an autoscaler may add some at any time
	tooFew   time.Duration          // for how long fewer were ready
	none     time.Duration          // for how long none was

	at                  time.Time // of the last observation
	wasTooFew, wasEmpty bool      // as it was seen then
}

// replicaSeen is a replica as it was last seen.
type replicaSeen struct {
	restarts   int
	ready      bool
	readySince time.Time
}

func newStability(since time.Time) stability {
	return stability{since: since, known: map[string]replicaSeen{}}
}

// note takes an observation at that time into account.
func (s *stability) note(obs port.Observation, id delivery.ReleaseID, now time.Time) {
	s.addTime(now)
	ready, all := 0, 0
	first := s.at.IsZero()
	for _, r := range obs.Replicas {
		if r.Release != id || r.State == port.ReplicaDraining {
			continue
		}
		all++
		if r.State == port.ReplicaReady {
			ready++
		}
		s.noteReplica(r, first)
	}
	if wanted := cmp.Or(obs.Wanted, all); s.wanted == 0 || wanted < s.wanted {
		s.wanted = wanted
	}
	s.at, s.wasTooFew, s.wasEmpty = now, ready < s.wanted, ready == 0 && s.wanted > 0
}

// addTime adds the time since the last observation: what was seen then lasted until now.
func (s *stability) addTime(now time.Time) {
	if s.wasTooFew {
		s.tooFew += now.Sub(s.at)
	}
	if s.wasEmpty {
		s.none += now.Sub(s.at)
	}
}

func (s *stability) noteReplica(r port.Replica, first bool) {
	last, known := s.known[r.Name]
	if !known && first {
		last = replicaSeen{restarts: r.Restarts} // before it got the traffic
		if r.LastEnd != nil && r.LastEnd.At.After(s.since) {
			last.restarts-- // seen by a process before this one
		}
	}
	switch {
	case r.Restarts > last.restarts:
		s.noteRestart(r, r.Restarts-last.restarts)
	case last.ready && (r.State == port.ReplicaStarting || r.State == port.ReplicaUnresponsive || r.ReadySince.After(last.readySince) && !last.readySince.IsZero()):
		s.lost++
	}
	s.known[r.Name] = replicaSeen{restarts: max(r.Restarts, last.restarts), ready: r.State == port.ReplicaReady, readySince: r.ReadySince}
}

func (s *stability) noteRestart(r port.Replica, times int) {
	cause := r.Cause
	if r.LastEnd != nil {
		cause = cmp.Or(r.LastEnd.Cause, cause)
	}
	s.causes = append(s.causes, fmt.Sprintf("%s restarted: %s", r.Name, cmp.Or(cause, "its end was not reported")))
	if r.LastEnd == nil || !r.LastEnd.Infrastructure {
		s.restarts += times
	}
}

// check compares what was seen with the thresholds.
func (s *stability) check(params step.WatchParams) observation {
	var o observation
	limits := params.Thresholds
	if len(s.causes) > 0 {
		o.check(fmt.Sprintf("restarts <= %d", limits.Restarts), s.restarts <= limits.Restarts, s.describeRestarts())
		if o.failure != "" {
			o.failure, o.hint = s.describeRestarts(), "`slipway logs` shows what it printed; deploy.watch.restarts is how often replicas may restart"
			return o
		}
	}
	limit := cmp.Or(limits.Unready.D(), max(minUnready, params.Bake.D()/unreadyShare))
	if s.none > 0 {
		o.check(fmt.Sprintf("time without a ready replica <= %s", maxNoneReady), s.none <= maxNoneReady,
			fmt.Sprintf("no replica was ready for %s%s", s.none.Round(time.Second), s.describeLosses()))
	}
	if s.tooFew > 0 && o.failure == "" {
		o.check(fmt.Sprintf("time with too few ready replicas <= %s", limit), s.tooFew <= limit,
			fmt.Sprintf("fewer than %d replicas were ready for %s%s", s.wanted, s.tooFew.Round(time.Second), s.describeLosses()))
	}
	if o.failure != "" {
		o.hint = "check the readiness probe and the log of the service; deploy.watch.unready is how long too few replicas may be ready"
		if o.blameless = s.lost == 0 && s.restarts == 0; o.blameless { // they were evicted, or their node is gone
			o.results[len(o.results)-1].Verdict = delivery.Unavailable
		}
	}
	return o
}

func (s *stability) describeRestarts() string {
	text := strings.Join(s.causes[:min(len(s.causes), maxCauses)], "; ")
	if more := len(s.causes) - maxCauses; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

func (s *stability) describeLosses() string {
	switch s.lost {
	case 0:
		return ""
	case 1:
		return "; a replica stopped being ready"
	}
	return fmt.Sprintf("; replicas stopped being ready %d times", s.lost)
}
