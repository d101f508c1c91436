package app

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// RunProgress is where an unfinished run stands.
type RunProgress string

// The states of an unfinished run.
const (
	RunQueued  RunProgress = "queued"
	RunRunning RunProgress = "running"
	RunKilled  RunProgress = "killed"  // its process is gone: the next run, or a resume, finishes it
	RunRemote  RunProgress = "unknown" // it was started on another machine, which shares no records with this one
)

// UnfinishedRun is a run that is queued, at work, or was killed.
type UnfinishedRun struct {
	Run    delivery.RunID `json:"run"`
	State  RunProgress    `json:"state"`
	Step   string         `json:"step,omitempty"` // that it is at, or was
	Commit string         `json:"commit,omitempty"`
	By     string         `json:"by"`
	Host   string         `json:"host,omitempty"`
	Since  time.Time      `json:"since"`
	Hint   string         `json:"hint,omitempty"`
	Owner  *RunOwner      `json:"owner,omitempty"` // of records that machines share
}

// RunOwner is the process that has a run, or had it.
type RunOwner struct {
	Holder   string    `json:"holder"` // process and machine
	Here     bool      `json:"this_machine,omitempty"`
	Alive    bool      `json:"alive"`
	Since    time.Time `json:"since,omitzero"`     // when it claimed the run
	LastBeat time.Time `json:"last_beat,omitzero"` // its last sign of life; none: not known, or it let the run go
}

// Bake is the time for which a release is watched before it is accepted.
type Bake struct {
	Begun time.Time         `json:"begun"`
	Time  delivery.Duration `json:"time"`
}

// Until is when the bake time ends.
func (b Bake) Until() time.Time { return b.Begun.Add(b.Time.D()) }

// unfinishedRun describes a run that has not ended.
func (s *session) unfinishedRun(ctx context.Context, r record.RunSummary) (UnfinishedRun, error) {
	u := UnfinishedRun{Run: r.ID, State: RunProgress(r.State), Commit: r.Commit, By: r.By.String(), Host: r.Host, Since: r.StartedAt}
	if u.Since.IsZero() {
		u.Since = r.CreatedAt
	}
	steps, err := s.deps.Runs.ListSteps(ctx, r.ID)
	if err != nil {
		return u, err
	}
	for _, st := range steps {
		if st.Result == nil {
			u.Step = st.Name
		}
	}
	o, err := s.engine.Owner(ctx, r.ID)
	if err != nil {
		return u, err
	}
	u.Owner = s.runOwner(o)
	switch {
	case o.Alive:
		return u, nil
	case o.Epoch == 0 && r.Host != "" && r.Host != s.engine.Host:
		u.State = RunRemote
		return u, nil
	}
	u.State, u.Hint = RunKilled, "finish it with `slipway run --resume "+string(r.ID)+"`"
	return u, nil
}

// runOwner is nil for a run that no machine has claimed.
func (s *session) runOwner(o engine.OwnerStatus) *RunOwner {
	if o.Epoch == 0 {
		return nil
	}
	out := &RunOwner{Holder: o.Holder, Here: o.Here, Alive: o.Alive, Since: o.Since}
	if o.Beat {
		out.LastBeat = s.app.Clock().Add(-o.SinceBeat).UTC()
	}
	return out
}

// bakeOf returns the bake that a deployment is in, or nil.
func (s *session) bakeOf(ctx context.Context, d delivery.Deployment) (*Bake, error) {
	run, err := s.deps.Runs.Get(ctx, d.Run)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) {
		return nil, nil // another machine's, or of a newer version
	}
	if err != nil {
		return nil, err
	}
	steps, err := s.deps.Runs.ListSteps(ctx, d.Run)
	if err != nil {
		return nil, err
	}
	for _, st := range steps {
		if st.Kind != step.Watch || st.Result != nil {
			continue
		}
		for _, spec := range run.Plan.Steps {
			if spec.Name != st.Name {
				continue
			}
			params, err := step.ParamsOf[step.WatchParams](spec)
			if err != nil || params.Bake == 0 {
				return nil, nil //nolint:nilerr // of another version: only the status lacks it
			}
			return &Bake{Begun: st.Begun, Time: params.Bake}, nil
		}
	}
	return nil, nil
}
