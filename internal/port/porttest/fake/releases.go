package fake

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

type releases struct{ *Records }

var _ port.ReleaseStore = releases{}

// Save keeps the release under its digest.
func (r releases) Save(_ context.Context, run delivery.RunID, rel delivery.Release) (delivery.ReleaseRecord, error) {
	leave, err := r.enter("Releases.Save")
	defer leave()
	if err != nil {
		return delivery.ReleaseRecord{}, err
	}
	raw, err := json.Marshal(rel)
	if err != nil {
		return delivery.ReleaseRecord{}, err
	}
	d := delivery.DigestOf(raw)
	saved := delivery.ReleaseRecord{ID: delivery.ReleaseID("r-" + d.Hex()[:12]), Digest: d, Release: rel, Run: run, CreatedAt: time.Now().UTC()}
	if i := r.find(saved.ID); i >= 0 {
		return r.releases[i], nil
	}
	r.releases = append(r.releases, saved)
	return saved, nil
}

func (r releases) find(id delivery.ReleaseID) int {
	return slices.IndexFunc(r.releases, func(s delivery.ReleaseRecord) bool { return s.ID == id })
}

// Get returns a release.
func (r releases) Get(_ context.Context, id delivery.ReleaseID) (delivery.ReleaseRecord, error) {
	leave, err := r.enter("Releases.Get")
	defer leave()
	if err != nil {
		return delivery.ReleaseRecord{}, err
	}
	i := r.find(id)
	if i < 0 {
		return delivery.ReleaseRecord{}, fault.New(fault.NotFound, "release %s not found", id)
	}
	return r.releases[i], nil
}

// List returns them, newest first.
func (r releases) List(_ context.Context, limit int) ([]delivery.ReleaseRecord, error) {
	leave, err := r.enter("Releases.List")
	defer leave()
	return newestFirst(r.releases, limit), err
}

// Quarantine keeps a release out of every environment.
func (r releases) Quarantine(_ context.Context, q delivery.Quarantine) error {
	leave, err := r.enter("Releases.Quarantine")
	defer leave()
	if err != nil {
		return err
	}
	i := r.find(q.Release)
	if i < 0 {
		return fault.New(fault.NotFound, "release %s not found", q.Release)
	}
	if r.releases[i].Quarantined == nil {
		r.releases[i].Quarantined = &q
	}
	return nil
}

// Unquarantine ends a quarantine.
func (r releases) Unquarantine(_ context.Context, id delivery.ReleaseID, _, _ string) error {
	leave, err := r.enter("Releases.Unquarantine")
	defer leave()
	if err != nil {
		return err
	}
	i := r.find(id)
	switch {
	case i < 0:
		return fault.New(fault.NotFound, "release %s not found", id)
	case r.releases[i].Quarantined == nil:
		return fault.New(fault.Conflict, "release %s is not quarantined", id)
	}
	r.releases[i].Quarantined = nil
	return nil
}
