package rollout

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

const (
	service = "api"
	env     = delivery.Environment("prod")
)

func TestDownReason(t *testing.T) {
	const id = "r-0123456789ab"
	replica := func(rel delivery.ReleaseID, state port.ReplicaState) port.Replica {
		return port.Replica{Release: rel, State: state, Cause: "exit 137"}
	}
	cases := []struct {
		name     string
		replicas []port.Replica
		want     string
	}{
		{"unknown", nil, ""},
		{"ready", []port.Replica{replica(id, "ready")}, ""},
		{"one of two", []port.Replica{replica(id, "backoff"), replica(id, "starting")}, ""},
		{"all", []port.Replica{replica(id, "backoff"), replica(id, "exited"), replica("r-other", "ready")}, "all of its 2 replicas have exited: exit 137"},
		{"only others", []port.Replica{replica("r-other", "ready")}, "none of its replicas is running"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := DownReason(port.Observation{Replicas: c.replicas}, id); got != c.want {
				t.Errorf("DownReason = %q, want %q", got, c.want)
			}
		})
	}
}

func sessionOf(e *fake.Environment, target port.Target) Session {
	return Session{
		Services: Services{Releases: e.Records.Releases(), Deployments: e.Records.Deployments()},
		Request:  step.Request{Environment: env, Service: service}, Target: target,
	}
}

// lockedTarget is a target that others deploy to as well.
type lockedTarget struct {
	*fake.TargetWithHistory
	err error
}

func (l lockedTarget) Lock(context.Context, port.DeployRequest, func(string)) error { return l.err }

func (l lockedTarget) Unlock(context.Context, port.DeployRequest) error { return nil }

func TestAcquire(t *testing.T) {
	e := fake.NewEnvironment()
	rel := e.Release(1)
	e.Serve(env, "run-1", rel, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	target := lockedTarget{TargetWithHistory: &fake.TargetWithHistory{Target: e.Target}}
	s := sessionOf(e, target)
	acquire := func() error {
		s.Target = target
		return s.Acquire(t.Context(), port.DeployRequest{Service: service, Environment: env, ID: "r-new"})
	}
	if err := acquire(); err != nil {
		t.Errorf("without a stored history: %v", err)
	}
	if err := s.Publish(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	if err := acquire(); err != nil {
		t.Errorf("with our own history: %v", err)
	}
	stored, _ := target.LoadHistory(t.Context(), service, env)
	begun := delivery.Deployment{Environment: env, Release: rel.ID, Run: "theirs", State: delivery.Deploying, By: "eve"}
	stored.Deployments = append([]delivery.Deployment{begun}, stored.Deployments...)
	if err := target.History.SaveHistory(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	if err := acquire(); err != nil {
		t.Errorf("after a deployment that others did not finish: %v", err)
	}
	stored.Deployments[0].State, stored.Deployments[0].ServingAt = delivery.Serving, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	if err := target.History.SaveHistory(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	if err := acquire(); !fault.Is(err, fault.Conflict) {
		t.Errorf("after a deployment by others: %v, want %s", err, fault.Conflict)
	}
	target.History.Fail = func(string) error { t.Error("the history was read without the lock"); return nil }
	target.err = fault.New(fault.Conflict, "run theirs has it")
	if err := acquire(); !errors.Is(err, target.err) {
		t.Errorf("error = %v, want %v", err, target.err)
	}
}

// TestAcquire_Log: the environment belongs to the first log that a deployment there was
// accepted with. Its history is not read where there is a log.
func TestAcquire_Log(t *testing.T) {
	e := fake.NewEnvironment()
	rel := e.Release(1)
	e.Serve(env, "run-1", rel, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	target := &fake.AnchoredTarget{TargetWithHistory: &fake.TargetWithHistory{Target: e.Target}}
	acquire := func(log port.RecordLog) error {
		s := sessionOf(e, target)
		s.Log = log
		return s.Acquire(t.Context(), port.DeployRequest{Service: service, Environment: env, ID: "r-new"})
	}
	first := sessionOf(e, target)
	first.Log = fake.NewRecordLog("A", 1, 2)
	if err := first.Publish(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	if err := acquire(fake.NewRecordLog("B", 1)); err != nil {
		t.Errorf("before a deployment was accepted: %v", err)
	}
	if err := first.PublishAccepted(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	stored, err := target.LoadHistory(t.Context(), service, env)
	if err != nil || len(stored.Releases) != 1 {
		t.Errorf("history = %v, %v, want what is needed to go back", stored, err)
	}
	read := 0
	target.History.Fail = func(string) error { read++; return nil }
	if err := acquire(fake.NewRecordLog("A", 1, 2, 3)); err != nil || read > 0 {
		t.Errorf("with the log: %v, and the history was read %d times", err, read)
	}
	for name, log := range map[string]port.RecordLog{"another": fake.NewRecordLog("B", 1, 2, 3), "rolled back": fake.NewRecordLog("A", 1), "none": nil} {
		if err := acquire(log); !fault.Is(err, fault.Conflict) {
			t.Errorf("with the log %s: %v, want %s", name, err, fault.Conflict)
		}
	}
}

func TestFinalize_OnlyWhereTargetCan(t *testing.T) {
	e := fake.NewEnvironment()
	if err := sessionOf(e, fake.WithoutTraffic{Target: e.Target}).Finalize(t.Context(), port.DeployRequest{}); err != nil {
		t.Error(err)
	}
	why := errors.New("no")
	e.Target.Fail = func(string, delivery.ReleaseID) error { return why }
	if err := sessionOf(e, e.Target).Finalize(t.Context(), port.DeployRequest{ID: "r-1"}); !errors.Is(err, why) {
		t.Errorf("error = %v, want %v", err, why)
	}
}
