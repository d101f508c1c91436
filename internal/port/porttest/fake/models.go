package fake

import (
	"context"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Register adds a version, or returns the one of the same digest.
func (l *Records) Register(_ context.Context, group string, artifact delivery.Digest, metrics delivery.Metrics, lineage delivery.Lineage) (delivery.ModelVersion, error) {
	leave, err := l.enter("Register")
	defer leave()
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	version := 1
	for _, m := range l.models {
		if m.Group == group && m.Digest == artifact {
			return m, nil
		}
		if m.Group == group {
			version++
		}
	}
	m := delivery.ModelVersion{
		ModelRef: delivery.ModelRef{Group: group, Version: version, Digest: artifact},
		Status:   delivery.PendingApproval, Metrics: metrics, Lineage: lineage,
	}
	l.models = append(l.models, m)
	return m, nil
}

// Import keeps another registry's version.
func (l *Records) Import(_ context.Context, m delivery.ModelVersion) error {
	leave, err := l.enter("AdoptModel")
	defer leave()
	if err != nil {
		return err
	}
	for _, known := range l.models {
		sameNumber, same := known.Group == m.Group && known.Version == m.Version, known.Group == m.Group && known.Digest == m.Digest
		if sameNumber && same {
			return nil
		}
		if sameNumber || same {
			return fault.New(fault.Conflict, "model %s is another one here", m.ModelRef)
		}
	}
	l.models = append(l.models, m)
	return nil
}

// Decide approves or rejects.
func (l *Records) Decide(_ context.Context, ref delivery.ModelRef, status delivery.ModelStatus, by, why string) (delivery.ModelVersion, error) {
	leave, err := l.enter("Decide")
	defer leave()
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	i := l.model(ref.Group, ref.Version)
	if i < 0 {
		return delivery.ModelVersion{}, fault.New(fault.NotFound, "there is no model %s", ref)
	}
	m := &l.models[i]
	switch m.Status {
	case status:
		return *m, nil
	case delivery.PendingApproval:
		m.Status, m.DecidedBy, m.Why = status, by, why
		return *m, nil
	}
	return *m, fault.New(fault.Conflict, "model %s is already %s", ref, m.Status)
}

func (l *Records) model(group string, version int) int {
	return slices.IndexFunc(l.models, func(m delivery.ModelVersion) bool {
		return m.Group == group && m.Version == version
	})
}

// Model finds a version.
func (l *Records) Model(_ context.Context, group string, version int) (delivery.ModelVersion, error) {
	leave, err := l.enter("Model")
	defer leave()
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	i := l.model(group, version)
	if i < 0 {
		return delivery.ModelVersion{}, fault.New(fault.NotFound, "there is no model %s:%d", group, version)
	}
	return l.models[i], nil
}

// Models lists versions, newest first.
func (l *Records) Models(_ context.Context, group string) ([]delivery.ModelVersion, error) {
	leave, err := l.enter("Models")
	defer leave()
	if err != nil {
		return nil, err
	}
	var of []delivery.ModelVersion
	for _, m := range l.models {
		if group == "" || m.Group == group {
			of = append(of, m)
		}
	}
	return newest(of, 0), nil
}

// Record keeps a person's word.
func (l *Records) Record(_ context.Context, a port.Approval) error {
	leave, err := l.enter("Approve")
	defer leave()
	if err != nil {
		return err
	}
	for _, known := range l.approvals {
		if known.Run == a.Run && known.Subject == a.Subject && known.By == a.By {
			return nil
		}
	}
	l.approvals = append(l.approvals, a)
	return nil
}

// Approvals lists the words on a run.
func (l *Records) Approvals(_ context.Context, run delivery.RunID) ([]port.Approval, error) {
	leave, err := l.enter("Approvals")
	defer leave()
	if err != nil {
		return nil, err
	}
	var of []port.Approval
	for _, a := range l.approvals {
		if a.Run == run {
			of = append(of, a)
		}
	}
	return of, nil
}
