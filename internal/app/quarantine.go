package app

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Held names what a quarantine holds: exactly one of the fields is set.
type Held struct {
	Release delivery.ReleaseID
	Image   delivery.Digest
	Model   string // GROUP:N
}

func (h Held) String() string {
	switch {
	case h.Image != "":
		return "image " + string(h.Image)
	case h.Model != "":
		return "model " + h.Model
	}
	return string(h.Release)
}

// Quarantine keeps content out of every environment until someone releases it. What
// is deployed stays.
func (a *App) Quarantine(ctx context.Context, what Held, why string) (q delivery.Quarantine, err error) {
	if err := what.check(why); err != nil {
		return q, err
	}
	q = delivery.Quarantine{Release: what.Release, Image: what.Image, Reason: fmt.Sprintf("quarantined by %s: %s", a.actor(), why), Since: a.Clock().UTC()}
	err = a.withSession(ctx, func(s *session) error {
		if what.Release != "" {
			saved, err := s.release(ctx, what.Release)
			if err != nil {
				return err
			}
			q.Release = saved.ID
		}
		if what.Model != "" {
			ref, _ := modelRef(what.Model)
			m, err := s.deps.Models.Get(ctx, ref.Group, ref.Version)
			if err != nil {
				return err
			}
			q.Model = m.Digest
		}
		return s.deps.Releases.Quarantine(ctx, q)
	})
	return q, err
}

// check refuses what names nothing, or more than one thing.
func (h Held) check(why string) error {
	set := 0
	for _, given := range []bool{h.Release != "", h.Image != "", h.Model != ""} {
		if given {
			set++
		}
	}
	_, isModel := modelRef(h.Model)
	switch {
	case set != 1:
		return fault.New(fault.Invalid, "quarantine: set exactly one of RELEASE, --image and --model").Hint("see `slipway releases quarantine --help`")
	case h.Image != "" && !h.Image.Valid():
		return fault.New(fault.Invalid, "invalid value %q of --image", h.Image).Hint("a digest is sha256: and 64 hexadecimal digits; `slipway status --json` has it")
	case h.Model != "" && !isModel:
		return fault.New(fault.Invalid, "invalid value %q of --model", h.Model).Hint("use GROUP:N; `slipway models` lists them")
	case why == "":
		return fault.New(fault.Invalid, "quarantine %s: a reason is required", h).Hint(`give one with --why "..."; it is kept in the history`)
	}
	return nil
}
