package fake

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Target serves releases in memory. The zero value is ready. It measures
// traffic and shifts it; WithoutTraffic and WithoutMetrics hide that.
type Target struct {
	Fuse *Fuse
	// Fail may refuse a call before it has an effect; nil: nothing fails.
	Fail func(method string, id delivery.ReleaseID) error
	// TrafficOf returns the result of Traffic; nil: no traffic.
	TrafficOf func(id delivery.ReleaseID, since time.Time) port.Traffic
	// ReplicaHealth gives the state of a release's replicas; nil: ready.
	ReplicaHealth func(id delivery.ReleaseID) (state port.ReplicaState, cause string)
	// Restarts gives how often a release's replicas were restarted, and why; nil: never.
	Restarts func(id delivery.ReleaseID) (n int, cause string)
	// Lost makes a promoted release vanish from Observe; nil: none does.
	Lost func(id delivery.ReleaseID) bool
	// Outage returns why the target does not work, and then nothing is observed or
	// responds; nil or "": it works.
	Outage func() string
	// ActualWeight returns the result of SetWeight; nil: percent.
	ActualWeight func(percent int) float64
	// Samples returns the results of Compare; nil: no traffic on either side.
	Samples func(candidate delivery.ReleaseID, since time.Time) (of, beside port.Sample)
	// Unproven returns why Identify fails for a release; nil, or a nil error: it does not.
	Unproven func(id delivery.ReleaseID) error
	// KeepsPrevious makes Promote keep the previous release until Finalize.
	KeepsPrevious bool

	mu      sync.Mutex
	changes int // of what runs
	envs    map[delivery.Environment]*scene
	Calls   []string // "Stage r-...", in order; read it when nothing runs
}

// scene is what one environment holds.
type scene struct {
	serving delivery.ReleaseID
	running map[delivery.ReleaseID]delivery.Release // staged, and the one that serves
	weights map[delivery.ReleaseID]int              // of the staged ones, in percent
	kept    map[delivery.ReleaseID]bool             // previous ones, until Finalize
}

var (
	_ port.Target          = (*Target)(nil)
	_ port.TrafficReporter = (*Target)(nil)
)

// WithoutTraffic is a target that does not measure.
type WithoutTraffic struct{ port.Target }

func (t *Target) enter(method string, id delivery.ReleaseID) (func(), error) {
	done := t.Fuse.call()
	t.mu.Lock()
	t.Calls = append(t.Calls, fmt.Sprintf("%s %s", method, id))
	leave := func() { t.mu.Unlock(); done() }
	if t.Fail != nil {
		if err := t.Fail(method, id); err != nil {
			return leave, err
		}
	}
	return leave, nil
}

func (t *Target) scene(env delivery.Environment) *scene {
	if t.envs == nil {
		t.envs = map[delivery.Environment]*scene{}
	}
	if t.envs[env] == nil {
		t.envs[env] = &scene{
			running: map[delivery.ReleaseID]delivery.Release{}, weights: map[delivery.ReleaseID]int{}, kept: map[delivery.ReleaseID]bool{},
		}
	}
	return t.envs[env]
}

// StableURL is the address of an environment's service.
func StableURL(env delivery.Environment) string { return "http://stable." + string(env) }

func staged(env delivery.Environment, id delivery.ReleaseID) string {
	return fmt.Sprintf("http://%s.staged.%s", id, env)
}

// Stage starts a release without traffic.
func (t *Target) Stage(ctx context.Context, o port.DeployRequest, say func(string)) (string, error) {
	leave, err := t.enter("Stage", o.ID)
	defer leave()
	if err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if say != nil {
		say("starting " + string(o.ID))
	}
	if _, runs := t.scene(o.Environment).running[o.ID]; !runs {
		t.changes++
	}
	t.scene(o.Environment).running[o.ID] = o.Release
	if t.scene(o.Environment).serving == o.ID {
		return StableURL(o.Environment), nil
	}
	return staged(o.Environment, o.ID), nil
}

// Promote gives a staged release the traffic.
func (t *Target) Promote(ctx context.Context, o port.DeployRequest, _ func(string)) (port.Observation, error) {
	leave, err := t.enter("Promote", o.ID)
	defer leave()
	if err != nil {
		return port.Observation{}, err
	}
	if ctx.Err() != nil {
		return port.Observation{}, context.Cause(ctx)
	}
	s := t.scene(o.Environment)
	if _, staged := s.running[o.ID]; !staged {
		return port.Observation{}, fault.New(fault.Conflict, "release %s is not staged", o.ID)
	}
	switch {
	case s.serving == o.ID || s.serving == "":
	case t.KeepsPrevious:
		s.kept[s.serving] = true
	default:
		delete(s.running, s.serving)
	}
	delete(s.weights, o.ID)
	delete(s.kept, o.ID)
	if s.serving != o.ID {
		t.changes++
	}
	s.serving = o.ID
	return t.observe(o.Environment), nil
}

// Discard stops a staged release.
func (t *Target) Discard(_ context.Context, o port.DeployRequest) error {
	leave, err := t.enter("Discard", o.ID)
	defer leave()
	if err != nil {
		return err
	}
	if s := t.scene(o.Environment); s.serving != o.ID {
		delete(s.running, o.ID)
		delete(s.weights, o.ID)
	}
	return nil
}

// Observe returns what runs in the environment.
func (t *Target) Observe(_ context.Context, _ string, env delivery.Environment) (port.Observation, error) {
	leave, err := t.enter("Observe", "")
	defer leave()
	if err != nil {
		return port.Observation{}, err
	}
	return t.observe(env), nil
}

func (t *Target) outage() string {
	if t.Outage == nil {
		return ""
	}
	return t.Outage()
}

func (t *Target) observe(env delivery.Environment) port.Observation {
	s := t.scene(env)
	obs := port.Observation{URL: StableURL(env), Outage: t.outage()}
	if obs.Outage != "" {
		return obs
	}
	if s.serving != "" && (t.Lost == nil || !t.Lost(s.serving)) {
		obs.Release = s.serving
	}
	for id := range s.running {
		state, cause := port.ReplicaReady, ""
		if t.ReplicaHealth != nil {
			state, cause = t.ReplicaHealth(id)
		}
		r := port.Replica{Name: string(id) + "-1", Release: id, State: state, Cause: cause}
		if t.Restarts != nil {
			r.Restarts, r.Cause = t.Restarts(id)
		}
		obs.Replicas = append(obs.Replicas, r)
	}
	return obs
}

// Remove stops everything.
func (t *Target) Remove(_ context.Context, _ string, env delivery.Environment) error {
	leave, err := t.enter("Remove", "")
	defer leave()
	if err != nil {
		return err
	}
	delete(t.envs, env)
	return nil
}

// Traffic returns what TrafficOf returns.
func (t *Target) Traffic(_ context.Context, _ string, _ delivery.Environment, id delivery.ReleaseID, since time.Time) (port.Traffic, error) {
	leave, err := t.enter("Traffic", id)
	defer leave()
	if err != nil || t.TrafficOf == nil {
		return port.Traffic{}, err
	}
	return t.TrafficOf(id, since), nil
}

// Running lists what runs in an environment, staged or serving.
func (t *Target) Running(env delivery.Environment) (serving delivery.ReleaseID, all []delivery.ReleaseID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.scene(env)
	for id := range s.running {
		all = append(all, id)
	}
	return s.serving, all
}
