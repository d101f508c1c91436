package fake

import (
	"context"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/release"
)

type releases struct{ *Records }

var _ port.ReleaseStore = releases{}

// Save keeps the release under its name.
func (r releases) Save(_ context.Context, rel delivery.Release, o delivery.Origin) (delivery.ReleaseRecord, error) {
	leave, err := r.enter("Releases.Save")
	defer leave()
	if err != nil {
		return delivery.ReleaseRecord{}, err
	}
	return r.save(delivery.ReleaseRecord{Release: rel, Origin: o}, rel.Schema == delivery.ReleaseForm)
}

// Import keeps a release under the name that it has elsewhere.
func (r releases) Import(_ context.Context, rel delivery.ReleaseRecord) (delivery.ReleaseRecord, error) {
	leave, err := r.enter("Releases.Import")
	defer leave()
	if err != nil {
		return delivery.ReleaseRecord{}, err
	}
	if _, _, id, err := release.Canonical(rel.Release); err != nil || id != rel.ID {
		return delivery.ReleaseRecord{}, fault.New(fault.Corrupt, "import release %s: its content is that of %s", rel.ID, id)
	}
	if given := rel.Release; given.Objects != "" && given.Schema >= delivery.ReleaseForm && given.Manifests != delivery.DigestOf([]byte(given.Objects)) {
		return delivery.ReleaseRecord{}, fault.New(fault.Corrupt, "import release %s: its objects are not those that its name stands for", rel.ID)
	}
	return r.save(rel.WithOrigin(), false)
}

func (r releases) save(given delivery.ReleaseRecord, merged bool) (delivery.ReleaseRecord, error) {
	rel, o := given.Release, given.Origin
	_, digest, id, err := release.Canonical(rel)
	if err != nil {
		return delivery.ReleaseRecord{}, err
	}
	if o.CreatedAt.IsZero() {
		o.CreatedAt = time.Now().UTC()
	}
	i := slices.IndexFunc(r.releases, func(s delivery.ReleaseRecord) bool {
		return s.ID == id || merged && !s.Unsigned && sameContent(s.Release, rel)
	})
	if i >= 0 && r.releases[i].Unsigned && !given.Unsigned {
		r.releases[i].Release, r.releases[i].Digest, r.releases[i].Unsigned = rel, digest, false
		r.origins = slices.DeleteFunc(r.origins, func(o origin) bool { return o.release == id })
	}
	if i < 0 {
		saved := delivery.ReleaseRecord{ID: id, Digest: digest, Release: rel, Run: o.Run, CreatedAt: time.Now().UTC(), Unsigned: given.Unsigned, Unknown: given.Unknown}
		r.releases, i = append(r.releases, saved), len(r.releases)
		if rel.Schema < delivery.ReleaseForm {
			r.releases[i] = saved.WithOrigin()
		}
	}
	if rel.Schema == delivery.ReleaseForm && (r.releases[i].Unsigned || !given.Unsigned) && !slices.Contains(r.origins, origin{r.releases[i].ID, o.Run}) {
		r.origins = append(r.origins, origin{r.releases[i].ID, o.Run})
		r.releases[i].Origin = o
	}
	return r.quarantined(r.releases[i]), nil
}

// origin names a run that made a release.
type origin struct {
	release delivery.ReleaseID
	run     delivery.RunID
}

func sameContent(a, b delivery.Release) bool {
	x, errX := release.ContentDigest(a)
	y, errY := release.ContentDigest(b)
	return errX == nil && errY == nil && x == y
}

// quarantined returns the record with the quarantine that holds it.
func (r releases) quarantined(rel delivery.ReleaseRecord) delivery.ReleaseRecord {
	rel.Quarantined = nil
	for _, h := range r.quarantines {
		if h.holds(rel) {
			q := h.Quarantine
			q.Release = rel.ID
			rel.Quarantined = &q
			break
		}
	}
	return rel
}

// held is a quarantine, with the release that it was put on.
type held struct {
	delivery.Quarantine
	release delivery.ReleaseRecord
}

func (h held) holds(rel delivery.ReleaseRecord) bool {
	return h.EndedAt.IsZero() && h.Config == nil && h.concerns(rel)
}

// concerns reports whether the quarantine holds or held the release with the
// configuration that it has here.
func (h held) concerns(rel delivery.ReleaseRecord) bool {
	if h.Image != "" || h.Model != "" {
		return h.Image == rel.Release.Image.Digest || h.Model != "" && h.Model == rel.Release.ModelDigest()
	}
	held, inputs := h.release.Release, h.release.Origin.Inputs
	if h.Config != nil {
		held, inputs = held.WithConfiguration(h.Config), h.Inputs
	}
	mine, err := release.InputsDigest(rel.Release, rel.Origin.Inputs)
	theirs, err2 := release.InputsDigest(held, inputs)
	return sameContent(rel.Release, held) || err == nil && err2 == nil && mine != "" && mine == theirs
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
	return r.quarantined(r.releases[i]), nil
}

// List returns them, newest first.
func (r releases) List(_ context.Context, f port.ReleaseFilter, page port.Page) ([]delivery.ReleaseRecord, port.Cursor, error) {
	leave, err := r.enter("Releases.List")
	defer leave()
	if err != nil {
		return nil, "", err
	}
	var of []delivery.ReleaseRecord
	for _, rel := range slices.Backward(r.releases) {
		if rel = r.quarantined(rel); !f.Quarantined || rel.Quarantined != nil {
			of = append(of, rel)
		}
	}
	return pageOf(of, page, func(rel delivery.ReleaseRecord) string { return string(rel.ID) })
}

// Quarantine keeps a release out of every environment.
func (r releases) Quarantine(_ context.Context, q delivery.Quarantine) error {
	leave, err := r.enter("Releases.Quarantine")
	defer leave()
	if err != nil {
		return err
	}
	h := held{Quarantine: q}
	if q.Release != "" {
		i := r.find(q.Release.Base())
		if i < 0 {
			return fault.New(fault.NotFound, "release %s not found", q.Release)
		}
		h.release = r.releases[i]
	}
	same := func(o held) bool {
		return o.EndedAt.IsZero() && o.Release == q.Release && o.Image == q.Image && o.Model == q.Model
	}
	if !slices.ContainsFunc(r.quarantines, same) {
		r.quarantines = append(r.quarantines, h)
	}
	return nil
}

// FindQuarantine returns what keeps the release out.
func (r releases) FindQuarantine(_ context.Context, rel delivery.Release, in delivery.Inputs) (*delivery.Quarantine, error) {
	leave, err := r.enter("Releases.FindQuarantine")
	defer leave()
	if err != nil {
		return nil, err
	}
	_, _, id, err := release.Canonical(rel)
	if err != nil {
		return nil, err
	}
	for _, h := range r.quarantines {
		if !h.EndedAt.IsZero() || !h.concerns(delivery.ReleaseRecord{Release: rel, Origin: delivery.Origin{Inputs: in}}) {
			continue
		}
		q := h.Quarantine
		if q.Config == nil {
			q.Release = id
		}
		q.Config, q.Inputs = nil, delivery.Inputs{}
		return &q, nil
	}
	return nil, nil //nolint:nilnil // nothing keeps it out
}

// Unquarantine ends a quarantine.
func (r releases) Unquarantine(_ context.Context, id delivery.ReleaseID, by delivery.Actor, why string) error {
	leave, err := r.enter("Releases.Unquarantine")
	defer leave()
	if err != nil {
		return err
	}
	i := r.find(id.Base())
	if i < 0 {
		return fault.New(fault.NotFound, "release %s not found", id)
	}
	ended := func(h held) bool {
		if h.Config != nil {
			return h.EndedAt.IsZero() && (h.Release == id || h.Release.Base() == id)
		}
		return id == id.Base() && h.holds(r.releases[i])
	}
	if !slices.ContainsFunc(r.quarantines, ended) {
		return fault.New(fault.Conflict, "release %s is not quarantined", id)
	}
	for n := range r.quarantines {
		if h := &r.quarantines[n]; ended(*h) {
			h.EndedBy, h.EndedWhy, h.EndedAt = by, why, time.Now().UTC()
		}
	}
	return nil
}

// Quarantines returns those that hold the release or held it.
func (r releases) Quarantines(_ context.Context, id delivery.ReleaseID) (of []delivery.Quarantine, err error) {
	leave, err := r.enter("Releases.Quarantines")
	defer leave()
	if err != nil {
		return nil, err
	}
	i := r.find(id)
	if i < 0 {
		return nil, fault.New(fault.NotFound, "release %s not found", id)
	}
	for _, h := range r.quarantines {
		switch q := h.Quarantine; {
		case q.Config != nil && q.Release.Base() == id:
			q.Config, q.Inputs = nil, delivery.Inputs{}
			of = append(of, q)
		case q.Config == nil && h.concerns(r.releases[i]):
			q.Release = id
			of = append(of, q)
		}
	}
	return of, nil
}
