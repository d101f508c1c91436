package watch

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// registry is a model registry whose versions somebody else decides on, and that may not
// respond. It shows stages.
type registry struct {
	port.ModelRegistry

	get    func(context.Context, delivery.ModelVersion) (delivery.ModelVersion, error)
	stages []string
}

func (r *registry) Get(ctx context.Context, group string, version int) (delivery.ModelVersion, error) {
	m, err := r.ModelRegistry.Get(ctx, group, version)
	if err != nil || r.get == nil {
		return m, err
	}
	return r.get(ctx, m)
}

func (r *registry) SetStage(_ context.Context, ref delivery.ModelRef, s port.ModelStage) error {
	r.stages = append(r.stages, ref.String()+" "+string(s.State))
	return nil
}

// Complaint 7 (aws-2026.md): a model that is rejected elsewhere while its release bakes is
// rolled back.
func TestRun_ModelWithdrawn(t *testing.T) {
	const minute = time.Minute
	away := fault.New(fault.Unavailable, "no response")
	status := func(s delivery.ModelStatus) func(context.Context, delivery.ModelVersion) (delivery.ModelVersion, error) {
		return func(_ context.Context, m delivery.ModelVersion) (delivery.ModelVersion, error) {
			m.Status, m.DecidedBy, m.Why = s, "ben", "biased"
			return m, nil
		}
	}
	failing := func(err error) func(context.Context, delivery.ModelVersion) (delivery.ModelVersion, error) {
		return func(context.Context, delivery.ModelVersion) (delivery.ModelVersion, error) {
			return delivery.ModelVersion{}, err
		}
	}
	for _, tt := range []struct {
		name      string
		later     func(context.Context, delivery.ModelVersion) (delivery.ModelVersion, error) // after half a minute
		forever   bool                                                                        // it stays so beyond the end
		cause     string                                                                      // empty: it is accepted
		blameless bool
	}{
		{"stays approved", status(delivery.Approved), true, "", false},
		{"rejected", status(delivery.Rejected), true, "rejected by ben: biased", false},
		{"approval taken back", status(delivery.PendingApproval), true, "not approved any more", false},
		{"deleted", failing(fault.New(fault.NotFound, "gone")), true, "gone", false},
		{"overwritten", failing(fault.New(fault.Corrupt, "overwritten")), true, "overwritten", false},
		{"registry away for a while", failing(away), false, "", false},
		{"registry away", failing(away), true, "could not be checked", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.setTraffic(0, port.Traffic{Requests: 1000})
				begun := time.Now()
				r := &registry{ModelRegistry: s.Records.Models(), get: func(ctx context.Context, m delivery.ModelVersion) (delivery.ModelVersion, error) {
					since := time.Since(begun)
					if since < minute/2 || !tt.forever && since >= minute {
						return m, nil
					}
					return tt.later(ctx, m)
				}}
				s.models = r
				res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(minute)})
				want := delivery.OutcomeFailed
				if tt.cause == "" {
					want = delivery.OutcomeSucceeded
				}
				if err != nil || res.Outcome != want || !strings.Contains(res.Cause, tt.cause) || res.InfrastructureFailure != tt.blameless {
					t.Fatalf("outcome = %s (%q, blameless %v), error = %v, want %s", res.Outcome, res.Cause, res.InfrastructureFailure, err, want)
				}
				if took := time.Since(begun); want == delivery.OutcomeFailed && !tt.blameless && took > minute/2+5*time.Second {
					t.Errorf("it took %s, want the next look", took)
				}
			})
		})
	}
}

// A registry that hangs does not keep the traffic from being watched.
func TestRun_ModelRegistryHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t)
		s.setTraffic(20*time.Second, port.Traffic{Requests: 1000, Errors: 500})
		var looks atomic.Int64
		s.models = &registry{ModelRegistry: s.Records.Models(), get: func(ctx context.Context, m delivery.ModelVersion) (delivery.ModelVersion, error) {
			looks.Add(1)
			<-ctx.Done()
			return m, errors.Join(ctx.Err())
		}}
		begun := time.Now()
		res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(10 * time.Minute)})
		if took := time.Since(begun); err != nil || res.Outcome != delivery.OutcomeFailed || took > 30*time.Second || looks.Load() == 0 {
			t.Errorf("outcome = %s (%q) after %s, error = %v, want the errors of the traffic to be seen", res.Outcome, res.Cause, took, err)
		}
	})
}

// What is accepted is shown in the registry, and what it replaced.
func TestRun_ShowsStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t)
		s.setTraffic(0, port.Traffic{Requests: 1000})
		r := &registry{ModelRegistry: s.Records.Models()}
		s.models = r
		res, err := s.watch(t.Context(), step.WatchParams{Bake: delivery.Duration(time.Second)})
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q), error = %v", res.Outcome, res.Cause, err)
		}
		if got := strings.Join(r.stages, ", "); !strings.HasSuffix(got, s.newRelease.Release.Model.String()+" serving") {
			t.Errorf("stages %q", got)
		}
	})
}
