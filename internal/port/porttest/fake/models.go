package fake

import (
	"context"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

type models struct{ *Records }

var (
	_ port.ModelRegistry = models{}
	_ port.ModelImporter = models{}
)

// Register adds a version, or returns the one of the same digest.
func (r models) Register(_ context.Context, group string, artifact delivery.Digest, metrics delivery.Metrics, lineage delivery.Lineage) (delivery.ModelVersion, error) {
	leave, err := r.enter("Models.Register")
	defer leave()
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	if group == "" || !artifact.Valid() {
		return delivery.ModelVersion{}, fault.New(fault.Invalid, "register a model: group %q, artifact %q", group, artifact)
	}
	version := 1
	for _, m := range r.models {
		if m.Group == group && m.Digest == artifact {
			return m, nil
		}
		if m.Group == group {
			version = max(version, m.Version+1)
		}
	}
	m := delivery.ModelVersion{
		ModelRef: delivery.ModelRef{Group: group, Version: version, Digest: artifact},
		Status:   delivery.PendingApproval, Metrics: metrics, Lineage: lineage, CreatedAt: time.Now().UTC(),
	}
	r.models = append(r.models, m)
	return m, nil
}

// Import keeps another registry's version.
func (r models) Import(_ context.Context, m delivery.ModelVersion) error {
	leave, err := r.enter("Models.Import")
	defer leave()
	if err != nil {
		return err
	}
	if m.Group == "" || m.Version < 1 || !m.Digest.Valid() {
		return fault.New(fault.Invalid, "import model %s with artifact %q", m.ModelRef, m.Digest)
	}
	for _, known := range r.models {
		sameNumber, same := known.Group == m.Group && known.Version == m.Version, known.Group == m.Group && known.Digest == m.Digest
		if sameNumber && same {
			return nil
		}
		if sameNumber || same {
			return fault.New(fault.Conflict, "model %s is another one here", m.ModelRef)
		}
	}
	r.models = append(r.models, m)
	return nil
}

// Decide approves or rejects.
func (r models) Decide(_ context.Context, ref delivery.ModelRef, status delivery.ModelStatus, by, reason string) (delivery.ModelVersion, error) {
	leave, err := r.enter("Models.Decide")
	defer leave()
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	if status != delivery.Approved && status != delivery.Rejected {
		return delivery.ModelVersion{}, fault.New(fault.Invalid, "decide on model %s: %q is not a decision", ref, status)
	}
	i := r.find(ref.Group, ref.Version)
	if i < 0 {
		return delivery.ModelVersion{}, fault.New(fault.NotFound, "model %s not found", ref)
	}
	m := &r.models[i]
	switch {
	case ref.Digest != "" && ref.Digest != m.Digest:
		return *m, fault.New(fault.Conflict, "model %s has another digest", ref)
	case m.Status == status:
		return *m, nil
	case m.Status != delivery.PendingApproval:
		return *m, fault.New(fault.Conflict, "model %s is already %s", ref, m.Status)
	}
	m.Status, m.DecidedBy, m.DecidedAt, m.Why = status, by, time.Now().UTC(), reason
	return *m, nil
}

func (r models) find(group string, version int) int {
	return slices.IndexFunc(r.models, func(m delivery.ModelVersion) bool {
		return m.Group == group && m.Version == version
	})
}

// Get returns a version.
func (r models) Get(_ context.Context, group string, version int) (delivery.ModelVersion, error) {
	leave, err := r.enter("Models.Get")
	defer leave()
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	i := r.find(group, version)
	if i < 0 {
		return delivery.ModelVersion{}, fault.New(fault.NotFound, "model %s:%d not found", group, version)
	}
	return r.models[i], nil
}

// List returns versions, newest first.
func (r models) List(_ context.Context, group string) ([]delivery.ModelVersion, error) {
	leave, err := r.enter("Models.List")
	defer leave()
	if err != nil {
		return nil, err
	}
	var of []delivery.ModelVersion
	for _, m := range r.models {
		if group == "" || m.Group == group {
			of = append(of, m)
		}
	}
	return newestFirst(of, 0), nil
}
