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
	for i, m := range r.models {
		if m.Group == group && m.Digest == artifact {
			if m.Unsigned {
				m.Metrics, m.Lineage, m.CreatedAt, m.Unsigned = metrics, lineage, time.Now().UTC(), false
				r.models[i] = m
			}
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
	if !m.Unsigned {
		r.models = slices.DeleteFunc(r.models, func(known delivery.ModelVersion) bool {
			return known.Unsigned && known.Group == m.Group && (known.Version == m.Version || known.Digest == m.Digest)
		})
	}
	for i, known := range r.models {
		sameNumber, same := known.Group == m.Group && known.Version == m.Version, known.Group == m.Group && known.Digest == m.Digest
		if sameNumber && same {
			if !m.Unsigned && m.Status != delivery.PendingApproval && m.Status != known.Status && m.DecidedAt.After(known.DecidedAt) {
				r.decide(i, importedDecision(m))
			}
			return nil
		}
		if sameNumber || same {
			return fault.New(fault.Conflict, "model %s is another one here", m.ModelRef)
		}
	}
	pending := m
	pending.Status, pending.DecidedBy, pending.DecidedActor, pending.DecidedAt, pending.Why = delivery.PendingApproval, "", delivery.Actor{}, time.Time{}, ""
	r.models = append(r.models, pending)
	if m.Status != delivery.PendingApproval && !m.Unsigned {
		r.decide(len(r.models)-1, importedDecision(m))
	}
	return nil
}

func importedDecision(m delivery.ModelVersion) delivery.ModelDecision {
	by := m.DecidedActor
	if by.IsZero() {
		by.Name = m.DecidedBy
	}
	return delivery.ModelDecision{Status: m.Status, By: by, Why: m.Why, At: m.DecidedAt}
}

// Decide approves or rejects.
func (r models) Decide(_ context.Context, ref delivery.ModelRef, d delivery.ModelDecision) (delivery.ModelVersion, error) {
	leave, err := r.enter("Models.Decide")
	defer leave()
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	if d.Status != delivery.Approved && d.Status != delivery.Rejected {
		return delivery.ModelVersion{}, fault.New(fault.Invalid, "decide on model %s: invalid decision %q", ref, d.Status)
	}
	i := r.find(ref.Group, ref.Version)
	if i < 0 {
		return delivery.ModelVersion{}, fault.New(fault.NotFound, "model %s not found", ref)
	}
	m := r.models[i]
	switch {
	case ref.Digest != "" && ref.Digest != m.Digest:
		return m, fault.New(fault.Conflict, "model %s has another digest", ref)
	case m.Status == d.Status:
		return m, nil
	case d.Revises != "" && d.Revises != m.Status:
		return m, fault.New(fault.Conflict, "model %s is already %s", ref, m.Status)
	}
	d.At = time.Now().UTC()
	return r.decide(i, d), nil
}

// decide adds a decision on the version at index i.
func (r models) decide(i int, d delivery.ModelDecision) delivery.ModelVersion {
	m := &r.models[i]
	d.Revises = m.Status
	m.Status, m.DecidedBy, m.DecidedActor, m.DecidedAt, m.Why, m.Unsigned = d.Status, d.By.String(), d.By, d.At, d.Why, false
	if r.decisions == nil {
		r.decisions = map[string][]delivery.ModelDecision{}
	}
	r.decisions[m.String()] = append(r.decisions[m.String()], d)
	return *m
}

// Decisions returns the decisions on a version, oldest first.
func (r models) Decisions(_ context.Context, group string, version int) ([]delivery.ModelDecision, error) {
	leave, err := r.enter("Models.Decisions")
	defer leave()
	if err != nil {
		return nil, err
	}
	i := r.find(group, version)
	if i < 0 {
		return nil, fault.New(fault.NotFound, "model %s:%d not found", group, version)
	}
	return slices.Clone(r.decisions[r.models[i].String()]), nil
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
func (r models) List(_ context.Context, f port.ModelFilter, page port.Page) ([]delivery.ModelVersion, port.Cursor, error) {
	leave, err := r.enter("Models.List")
	defer leave()
	if err != nil {
		return nil, "", err
	}
	var of []delivery.ModelVersion
	for _, m := range slices.Backward(r.models) {
		if (f.Group == "" || m.Group == f.Group) && (f.Status == "" || m.Status == f.Status) {
			of = append(of, m)
		}
	}
	return pageOf(of, page, func(m delivery.ModelVersion) string { return m.String() })
}
