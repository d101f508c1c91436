package fake

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Records keeps releases, deployments, models and approvals in memory. The zero
// value is ready.
type Records struct {
	Fuse *Fuse
	Fail func(method string) error // nil: nothing fails

	mu          sync.Mutex
	releases    []delivery.ReleaseRecord
	deployments []delivery.Deployment
	models      []delivery.ModelVersion
	approvals   []port.Approval
}

var (
	_ port.ReleaseStore    = (*Records)(nil)
	_ port.DeploymentStore = (*Records)(nil)
	_ port.ModelRegistry   = (*Records)(nil)
	_ port.ApprovalStore   = (*Records)(nil)
)

// enter locks, and answers what to defer: it unlocks, and burns the fuse.
func (l *Records) enter(method string) (func(), error) {
	done := l.Fuse.call()
	l.mu.Lock()
	leave := func() { l.mu.Unlock(); done() }
	if l.Fail != nil {
		if err := l.Fail(method); err != nil {
			return leave, err
		}
	}
	return leave, nil
}

// Save keeps the release under its digest.
func (l *Records) Save(_ context.Context, run delivery.RunID, r delivery.Release) (delivery.ReleaseRecord, error) {
	leave, err := l.enter("SaveRelease")
	defer leave()
	if err != nil {
		return delivery.ReleaseRecord{}, err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return delivery.ReleaseRecord{}, err
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(raw))
	saved := delivery.ReleaseRecord{ID: delivery.ReleaseID("r-" + sum[:12]), Digest: delivery.Digest("sha256:" + sum), Release: r, Run: run}
	if i := l.release(saved.ID); i >= 0 {
		return l.releases[i], nil
	}
	l.releases = append(l.releases, saved)
	return saved, nil
}

func (l *Records) release(id delivery.ReleaseID) int {
	return slices.IndexFunc(l.releases, func(s delivery.ReleaseRecord) bool { return s.ID == id })
}

// Release finds a release.
func (l *Records) Release(_ context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	leave, err := l.enter("Release")
	defer leave()
	if err != nil {
		return delivery.ReleaseRecord{}, err
	}
	i := l.release(id)
	if i < 0 {
		return delivery.ReleaseRecord{}, fault.New(fault.NotFound, "there is no release %s", id)
	}
	return l.releases[i], nil
}

// Releases lists them, newest first.
func (l *Records) Releases(_ context.Context, limit int) ([]delivery.ReleaseRecord, error) {
	leave, err := l.enter("Releases")
	defer leave()
	return newest(l.releases, limit), err
}

// Quarantine keeps a release out.
func (l *Records) Quarantine(_ context.Context, q delivery.Quarantine) error {
	leave, err := l.enter("Quarantine")
	defer leave()
	if err != nil {
		return err
	}
	i := l.release(q.Release)
	if i < 0 {
		return fault.New(fault.NotFound, "there is no release %s", q.Release)
	}
	if l.releases[i].Quarantined == nil {
		l.releases[i].Quarantined = &q
	}
	return nil
}

// Unquarantine lets a release go.
func (l *Records) Unquarantine(_ context.Context, id delivery.ReleaseID, _, _ string) error {
	leave, err := l.enter("Unquarantine")
	defer leave()
	if err != nil {
		return err
	}
	i := l.release(id)
	if i < 0 || l.releases[i].Quarantined == nil {
		return fault.New(fault.Conflict, "release %s is not quarantined", id)
	}
	l.releases[i].Quarantined = nil
	return nil
}

// Begin records that a release starts to enter.
func (l *Records) Begin(_ context.Context, d delivery.Deployment) (delivery.Deployment, error) {
	leave, err := l.enter("Begin")
	defer leave()
	if err != nil {
		return delivery.Deployment{}, err
	}
	for _, known := range l.deployments {
		if known.Run == d.Run && known.Release == d.Release {
			return known, nil
		}
	}
	d.ID, d.State = int64(len(l.deployments)+1), delivery.Deploying
	l.deployments = append(l.deployments, d)
	return d, nil
}

// Accept makes it the one that serves.
func (l *Records) Accept(_ context.Context, id int64, at time.Time) error {
	leave, err := l.enter("Accept")
	defer leave()
	if err != nil {
		return err
	}
	d, err := l.deployment(id)
	if err != nil || d.State == delivery.Serving {
		return err
	}
	if d.State != delivery.Deploying {
		return fault.New(fault.Conflict, "deployment %d is %s", id, d.State)
	}
	for i := range l.deployments {
		if other := &l.deployments[i]; other.Environment == d.Environment && other.State == delivery.Serving {
			other.State, other.EndedAt = delivery.Replaced, at
		}
	}
	d.State, d.ServingAt = delivery.Serving, at
	return nil
}

// End records how a deployment left.
func (l *Records) End(_ context.Context, id int64, state delivery.DeploymentState, reason string, at time.Time) error {
	leave, err := l.enter("End")
	defer leave()
	if err != nil {
		return err
	}
	d, err := l.deployment(id)
	if err != nil {
		return err
	}
	if d.State == delivery.Deploying || d.State == delivery.Serving {
		d.State, d.Reason, d.EndedAt = state, reason, at
	}
	return nil
}

func (l *Records) deployment(id int64) (*delivery.Deployment, error) {
	if id < 1 || id > int64(len(l.deployments)) {
		return nil, fault.New(fault.NotFound, "there is no deployment %d", id)
	}
	return &l.deployments[id-1], nil
}

// Current is the accepted deployment.
func (l *Records) Current(_ context.Context, env delivery.Environment) (delivery.Deployment, bool, error) {
	leave, err := l.enter("Serving")
	defer leave()
	if err != nil {
		return delivery.Deployment{}, false, err
	}
	for _, d := range l.deployments {
		if d.Environment == env && d.State == delivery.Serving {
			return d, true, nil
		}
	}
	return delivery.Deployment{}, false, nil
}

// History lists deployments, newest first.
func (l *Records) History(_ context.Context, env delivery.Environment, limit int) ([]delivery.Deployment, error) {
	leave, err := l.enter("History")
	defer leave()
	if err != nil {
		return nil, err
	}
	var of []delivery.Deployment
	for _, d := range l.deployments {
		if env == "" || d.Environment == env {
			of = append(of, d)
		}
	}
	return newest(of, limit), nil
}

func newest[T any](list []T, limit int) []T {
	out := slices.Clone(list)
	slices.Reverse(out)
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}
