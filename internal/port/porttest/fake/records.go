package fake

import (
	"slices"
	"sync"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
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

// pageOf returns a page of a list, which is in order; the name of its last entry is
// the cursor of the next one.
func pageOf[T any](list []T, page port.Page, name func(T) string) ([]T, port.Cursor, error) {
	start := 0
	if page.After != "" {
		start = 1 + slices.IndexFunc(list, func(e T) bool { return name(e) == string(page.After) })
		if start == 0 {
			return nil, "", fault.New(fault.Invalid, "invalid cursor %q", page.After)
		}
	}
	list = list[start:]
	if len(list) <= page.Size() {
		return list, "", nil
	}
	list = list[:page.Size()]
	return list, port.Cursor(name(list[len(list)-1])), nil
}
