package fake

import (
	"slices"
	"sync"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Records keeps models, releases, deployments and approvals in memory. The zero
// value is ready.
type Records struct {
	Fuse *Fuse
	Fail func(method string) error // nil: nothing fails; methods are named as in "Releases.Save"

	mu          sync.Mutex
	releases    []delivery.ReleaseRecord
	deployments []delivery.Deployment
	models      []delivery.ModelVersion
	decisions   map[string][]delivery.ModelDecision // by model
	approvals   []port.Approval
	quarantines []held
	origins     []origin
}

// Models returns the model registry, which is also a port.ModelImporter.
func (r *Records) Models() port.ModelRegistry { return models{r} }

// Releases returns the releases.
func (r *Records) Releases() port.ReleaseStore { return releases{r} }

// Deployments returns the deployments.
func (r *Records) Deployments() port.DeploymentStore { return deployments{r} }

// Approvals returns the approvals.
func (r *Records) Approvals() port.ApprovalStore { return approvals{r} }

// enter locks and returns what to defer: it unlocks, and burns the fuse.
func (r *Records) enter(method string) (leave func(), err error) {
	done := r.Fuse.call()
	r.mu.Lock()
	leave = func() { r.mu.Unlock(); done() }
	if r.Fail != nil {
		if err := r.Fail(method); err != nil {
			return leave, err
		}
	}
	return leave, nil
}

// newestFirst returns up to limit entries in reverse order (0: all).
func newestFirst[T any](list []T, limit int) []T {
	out := slices.Clone(list)
	slices.Reverse(out)
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}
