package app

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ModelDetails is a model version with all decisions on it, and where it is deployed.
type ModelDetails struct {
	delivery.ModelVersion
	Decisions   []delivery.ModelDecision `json:"decisions"`   // oldest first
	Deployments []delivery.Deployment    `json:"deployments"` // current ones
}

// Models lists the versions of a group, or of all with an empty name.
func (a *App) Models(ctx context.Context, group string) (out []delivery.ModelVersion, err error) {
	err = a.withSession(ctx, func(s *session) error {
		out, err = port.Collect(port.AllModels(ctx, s.deps.Models, port.ModelFilter{Group: group}))
		return err
	})
	return out, err
}

// Model returns one version: "group:3".
func (a *App) Model(ctx context.Context, name string) (out ModelDetails, err error) {
	err = a.withSession(ctx, func(s *session) error {
		m, err := s.namedModel(ctx, name)
		if err != nil {
			return err
		}
		out = ModelDetails{ModelVersion: *m, Decisions: []delivery.ModelDecision{}, Deployments: []delivery.Deployment{}}
		decisions, err := s.deps.Models.Decisions(ctx, m.Group, m.Version)
		if err != nil {
			return err
		}
		out.Decisions = append(out.Decisions, decisions...)
		deployed, err := s.deploymentsOf(ctx, m.ModelRef)
		out.Deployments = append(out.Deployments, deployed...)
		return err
	})
	return out, err
}

// namedModel looks up the model version that a person names.
func (s *session) namedModel(ctx context.Context, name string) (*delivery.ModelVersion, error) {
	ref, ok := modelRef(name)
	if !ok {
		return nil, fault.New(fault.Invalid, "%q is not a model version", name).Hint("a version is GROUP:NUMBER; `slipway models` lists them")
	}
	m, err := s.deps.Models.Get(ctx, ref.Group, ref.Version)
	return &m, err
}
