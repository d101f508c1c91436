package plan

import (
	"cmp"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// maxDatabaseAge is the default for the maximum age of a scanner's database.
const maxDatabaseAge = delivery.Duration(5 * 24 * time.Hour)

// scan plans the scan of the built image, before it is pushed. It is never
// cached: new vulnerabilities are published every day. It reports whether there
// is one.
func (pl *planner) scan() bool {
	s := pl.project.Scan
	if s == nil {
		return false
	}
	with := step.ScanParams{
		Repository: pl.project.Image.Repository, Scanner: string(s.With), Create: pl.project.Image.Create, FailOn: s.FailOn,
		FixableOnly: s.FixableOnly, VEX: s.VEX, MaxAge: cmp.Or(s.MaxAge, maxDatabaseAge), Unavailable: pl.onScanUnavailable(),
	}
	if len(with.FailOn) == 0 {
		with.FailOn = []delivery.Severity{delivery.High, delivery.Critical}
	}
	if s.Also != "" {
		with.Also = []string{string(s.Also)}
	}
	for _, w := range s.Waive {
		with.Waive = append(with.Waive, waiver(w))
	}
	pl.add(step.Spec{
		Name: scanStep, Kind: step.Scan, Needs: []string{buildStep}, Timeout: scanTimeout,
		Reason: "new vulnerabilities are published every day, so it is never cached",
	}, with)
	return true
}

func waiver(w config.Waiver) step.Waiver {
	return step.Waiver{ID: w.ID, Package: w.Package, Until: w.Until, Reason: w.Why}
}

// onScanUnavailable is what the environment does when the image could not be scanned.
func (pl *planner) onScanUnavailable() step.UnavailablePolicy {
	if s := pl.env.Scan; s != nil {
		return cmp.Or(s.Unavailable, step.FailUnavailable)
	}
	return step.FailUnavailable
}

// requiresScan reports whether only a release that passed the scan may be
// promoted into the environment.
func (pl *planner) requiresScan() bool {
	return pl.project.Scan != nil && pl.onScanUnavailable() == step.FailUnavailable
}
