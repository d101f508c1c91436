package deploy

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// confirming is a target that compares what is live with a doubtful record.
type confirming struct {
	*fake.Target
	differs []port.Drift
	asked   []delivery.ReleaseID
	current []*port.CurrentRelease // of the staged requests
}

func (c *confirming) ConfirmLive(_ context.Context, o port.DeployRequest) ([]port.Drift, error) {
	c.asked = append(c.asked, o.ID)
	return c.differs, nil
}

func (c *confirming) Stage(ctx context.Context, o port.DeployRequest, report func(string)) (string, error) {
	c.current = append(c.current, o.Current)
	return c.Target.Stage(ctx, o, report)
}

// TestWayBack_OfUnsignedHistory: what is known from an unsigned history only is a way back
// if it is what runs, to the last field; otherwise nothing is changed.
func TestWayBack_OfUnsignedHistory(t *testing.T) {
	for name, c := range map[string]struct {
		unsigned, compares bool
		differs            []port.Drift
		refused            string
		asked              int
	}{
		"signed":                {false, true, nil, "", 0},
		"it is what runs":       {true, true, nil, "", 1},
		"it is not":             {true, true, []port.Drift{{Kind: "RoleBinding", Name: "me", Missing: true}}, "RoleBinding me is missing", 1},
		"nothing compares them": {true, false, nil, "this target can't compare", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := fake.NewEnvironment()
				old, next := w.Release(1), w.Release(2)
				w.Serve(env, "20260101-000000-aaaa", old, time.Now())
				s, target := newStep(w), &confirming{Target: w.Target, differs: c.differs}
				if c.compares {
					s.Targets = port.Targets{"local": target}
				}
				if c.unsigned {
					s.Deployments = unsignedDeployments{s.Deployments}
				}
				w.Target.Calls = nil
				res, err := s.Run(t.Context(), request(step.DeployParams{Release: next.ID}))
				if c.refused != "" {
					if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), c.refused) || !strings.Contains(fault.HintOf(err), "slipway history accept --env prod") {
						t.Errorf("error = %v (%s), want %q", err, fault.HintOf(err), c.refused)
					}
					for _, call := range w.Target.Calls {
						if strings.HasPrefix(call, "Stage") || strings.HasPrefix(call, "Promote") {
							t.Errorf("%s was called", call)
						}
					}
					return
				}
				if err != nil || res.Outcome != delivery.OutcomeSucceeded {
					t.Fatalf("outcome = %s (%s), error = %v", res.Outcome, res.Cause, err)
				}
				if len(target.asked) != c.asked || len(target.current) != 1 || target.current[0] == nil || target.current[0].ID != old.ID {
					t.Errorf("compared %v, way back %v, want %s", target.asked, target.current, old.ID)
				}
			})
		})
	}
}

// unsignedDeployments are those of a history that no trusted key has signed.
type unsignedDeployments struct{ port.DeploymentStore }

func (u unsignedDeployments) Current(ctx context.Context, env delivery.Environment) (delivery.Deployment, bool, error) {
	d, ok, err := u.DeploymentStore.Current(ctx, env)
	d.Unsigned = ok
	return d, ok, err
}

// TestRun_RefusesUnsignedRelease: a promotion of what no trusted key has signed.
func TestRun_RefusesUnsignedRelease(t *testing.T) {
	w := fake.NewEnvironment()
	s := newStep(w)
	rel := w.Release(1)
	s.Releases = unsignedReleases{s.Releases}
	if _, err := s.Run(t.Context(), request(step.DeployParams{Release: rel.ID})); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "is pending") {
		t.Errorf("error = %v, want it refused as pending", err)
	}
}

type unsignedReleases struct{ port.ReleaseStore }

func (u unsignedReleases) Get(ctx context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	r, err := u.ReleaseStore.Get(ctx, id)
	r.Unsigned = true
	return r, err
}
