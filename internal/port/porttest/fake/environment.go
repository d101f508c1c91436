package fake

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Environment is an environment with all that belongs to it.
type Environment struct {
	Records *Records
	Target  *Target
	Prober  *Prober
}

// NewEnvironment is an empty one.
func NewEnvironment() *Environment {
	t := &Target{}
	return &Environment{Records: &Records{}, Target: t, Prober: &Prober{Target: t}}
}

// SetFuse kills at a call of any of the ports; nil takes the fuse out.
func (w *Environment) SetFuse(f *Fuse) { w.Records.Fuse, w.Target.Fuse, w.Prober.Fuse = f, f, f }

// Digest is the digest of nothing in particular, the same for the same seed.
func Digest(seed int) delivery.Digest {
	return delivery.DigestFromHex(strings.Repeat(fmt.Sprintf("%02x", seed), 32))
}

// Release is a release of the service "api" with model "m" in the given
// version, which is registered and approved with it.
func (w *Environment) Release(model int) delivery.ReleaseRecord {
	ctx := context.Background()
	var ref delivery.ModelRef
	for v := 1; v <= model; v++ {
		m, err := w.Records.Models().Register(ctx, "m", Digest(v), delivery.Metrics{"accuracy": float64(v) / 10}, delivery.Lineage{})
		must(err)
		_, err = w.Records.Models().Decide(ctx, m.ModelRef, delivery.ModelDecision{Status: delivery.Approved, By: delivery.Actor{Name: "ann"}})
		must(err)
		ref = m.ModelRef
	}
	rel, err := w.Records.Releases().Save(ctx, delivery.Release{
		Schema: delivery.ReleaseForm, Service: "api", Model: &ref,
		Image:    delivery.Image{Repository: "api", Digest: Digest(100 + model)},
		Workload: delivery.Workload{Replicas: 1, Health: "/health", Env: map[string]string{"MODE": fmt.Sprint(model)}},
	}, delivery.Origin{Run: "20260101-000000-aaaa", Commit: fmt.Sprintf("%040d", model)})
	must(err)
	return rel
}

// Serve lets a release serve, by the records and in truth.
func (w *Environment) Serve(env delivery.Environment, run delivery.RunID, rel delivery.ReleaseRecord, at time.Time) delivery.Deployment {
	ctx := context.Background()
	d, err := w.Records.Deployments().Begin(ctx, delivery.Deployment{Environment: env, Release: rel.ID, Run: run, StartedAt: at})
	must(err)
	o := port.DeployRequest{Service: "api", Environment: env, ID: rel.ID, Release: rel.Release}
	_, err = w.Target.Stage(ctx, o, nil)
	must(err)
	_, err = w.Target.Promote(ctx, o, nil)
	must(err)
	must(w.Records.Deployments().Accept(ctx, d.ID, at))
	d.State, d.ServingAt = delivery.Serving, at
	return d
}

// must stops a test whose world could not be made.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
