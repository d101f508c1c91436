package plan

import (
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// maxAge is how old a scanner's database may be when the file does not say.
const maxAge = delivery.Duration(5 * 24 * time.Hour)

// scan plans the look at the built image, before it goes anywhere. It is not
// cached: what is known of the same image grows from day to day.
func (m *maker) scan() bool {
	s := m.project.Scan
	if s == nil {
		return false
	}
	with := step.ScanParams{
		Repository: m.project.Image.Repository, Scanner: text(s.With, "grype"), FailOn: s.FailOn,
		FixableOnly: s.FixableOnly, VEX: s.VEX, MaxAge: or(s.MaxAge, maxAge), Unavailable: m.unscanned(),
	}
	if len(with.FailOn) == 0 {
		with.FailOn = []delivery.Severity{delivery.High, delivery.Critical}
	}
	for _, w := range s.Waive {
		with.Waive = append(with.Waive, waiver(w))
	}
	m.add(step.Spec{
		Name: "scan", Kind: step.Scan, Needs: []string{"build"}, Timeout: scanTime,
		Reason: "the same image may have new vulnerabilities every day",
	}, with)
	return true
}

func waiver(w config.Waiver) step.Waiver {
	return step.Waiver{ID: w.ID, Package: w.Package, Until: w.Until, Reason: w.Why}
}

// unscanned is what it means in the environment that nobody could be asked.
func (m *maker) unscanned() string {
	if s := m.env.Scan; s != nil {
		return text(s.Unavailable, "fail")
	}
	return "fail"
}

// mustBeScanned tells whether only a release that passed the scan may be
// promoted into the environment.
func (m *maker) mustBeScanned() bool { return m.project.Scan != nil && m.unscanned() == "fail" }
