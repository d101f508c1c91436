package app

import (
	"context"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/anchor"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// anchorsTimeout limits how long targets are looked at for what only describes them.
const anchorsTimeout = 10 * time.Second

// EnvironmentAnchor is the shared state that an environment belongs to.
type EnvironmentAnchor struct {
	Environment delivery.Environment `json:"environment"`
	Anchor      port.Anchor          `json:"anchor"`            // zero: none, or not known
	Problem     string               `json:"problem,omitempty"` // why a run would deploy nothing there, or it is not known
}

// anchors returns what the targets of all environments remember, without those that
// remember nothing.
func (s *session) anchors(ctx context.Context) []EnvironmentAnchor {
	ctx, cancel := context.WithTimeout(ctx, anchorsTimeout)
	defer cancel()
	all := make([]EnvironmentAnchor, len(s.project.EnvironmentNames()))
	var group sync.WaitGroup
	for i, name := range s.project.EnvironmentNames() {
		env := delivery.Environment(name)
		all[i].Environment = env
		if target, err := s.target(env); err == nil {
			group.Go(func() { s.fillAnchor(ctx, s.anchorPlace(env, target), &all[i]) })
		}
	}
	group.Wait()
	found := []EnvironmentAnchor{}
	for _, a := range all {
		if a.Problem != "" || a.Anchor.Mark.Log != "" || a.Anchor.Adopted != nil {
			found = append(found, a)
		}
	}
	return found
}

func (s *session) fillAnchor(ctx context.Context, place anchor.Place, a *EnvironmentAnchor) {
	var err error
	if a.Anchor, err = place.Check(ctx, s.recordLog()); err != nil {
		a.Problem = err.Error()
	}
}
