package anchor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/anchor"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

func newPlace() anchor.Place {
	return anchor.Place{Target: &fake.AnchoredTarget{TargetWithHistory: &fake.TargetWithHistory{Target: &fake.Target{}}}, Service: "api", Environment: "prod"}
}

func TestPlace_Check(t *testing.T) {
	for _, c := range []struct {
		name string
		log  *fake.RecordLog // nil: none
		says string          // "": it may deploy
	}{
		{"same log", fake.NewRecordLog("A", 1, 2, 3), ""},
		{"same log, longer", fake.NewRecordLog("A", 1, 2, 3, 4), ""},
		{"another log", fake.NewRecordLog("B", 1, 2, 3), "belongs to the shared state A, and this run uses B"},
		{"no log", nil, "belongs to the shared state A, and this run has none"},
		{"empty", fake.NewRecordLog(""), "belongs to the shared state A, and the one that this run uses is empty"},
		{"rolled back", fake.NewRecordLog("A", 1, 2), "was rolled back or replaced: prod was deployed after its entry 3"},
		{"forged", fake.NewRecordLog("A", 1, 2, 7, 8), "was rolled back or replaced"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace()
			if err := p.Advance(t.Context(), fake.NewRecordLog("A", 1, 2, 3)); err != nil {
				t.Fatal(err)
			}
			a, err := p.Check(t.Context(), asLog(c.log))
			switch {
			case c.says == "" && (err != nil || a.Mark != fake.NewRecordLog("A", 1, 2, 3).Mark(3)):
				t.Errorf("Check = %v, %v, want the anchor after entry 3 of A", a, err)
			case c.says != "" && (!fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), c.says)):
				t.Errorf("error = %v, want %s: ... %s", err, fault.Conflict, c.says)
			case c.says != "" && !strings.Contains(fault.HintOf(err), "slipway state adopt --env prod --why"):
				t.Errorf("hint = %q, want the command that accepts it", fault.HintOf(err))
			}
		})
	}
	t.Run("not deployed yet", func(t *testing.T) {
		if a, err := newPlace().Check(t.Context(), fake.NewRecordLog("B", 1)); err != nil || a.Mark.Log != "" {
			t.Errorf("Check = %v, %v, want no anchor", a, err)
		}
	})
	t.Run("target without anchors", func(t *testing.T) {
		p := anchor.Place{Target: &fake.Target{}, Service: "api", Environment: "prod"}
		if err := p.Advance(t.Context(), fake.NewRecordLog("A", 1)); err != nil {
			t.Error(err)
		}
		if _, err := p.Check(t.Context(), fake.NewRecordLog("B", 1)); err != nil {
			t.Error(err)
		}
	})
	t.Run("damaged anchor", func(t *testing.T) {
		p := newPlace()
		if err := p.Advance(t.Context(), fake.NewRecordLog("A", 1)); err != nil {
			t.Fatal(err)
		}
		p.Target.(*fake.AnchoredTarget).DamageAnchor("api", "prod")
		for _, log := range []port.RecordLog{nil, fake.NewRecordLog("A", 1)} {
			if _, err := p.Check(t.Context(), log); !fault.Is(err, fault.Corrupt) {
				t.Errorf("error = %v, want %s", err, fault.Corrupt)
			}
		}
	})
}

// asLog is a nil interface for no log.
func asLog(l *fake.RecordLog) port.RecordLog {
	if l == nil {
		return nil
	}
	return l
}

func TestPlace_Advance(t *testing.T) {
	p := newPlace()
	wantMark := func(want port.LogMark) {
		t.Helper()
		if a, err := p.Read(t.Context()); err != nil || a.Mark != want {
			t.Errorf("anchor = %v, %v, want %v", a.Mark, err, want)
		}
	}
	long := fake.NewRecordLog("A", 1, 2, 3)
	for _, step := range []struct {
		log   *fake.RecordLog
		want  port.LogMark
		fails bool
	}{
		{nil, port.LogMark{}, false},
		{fake.NewRecordLog("A", 1), long.Mark(1), false},
		{long, long.Mark(3), false},
		{long, long.Mark(3), false},
		{fake.NewRecordLog("A", 1, 2), long.Mark(3), true}, // never backwards
		{fake.NewRecordLog("B", 1, 2, 3, 4), long.Mark(3), true},
		{nil, long.Mark(3), false},
	} {
		if err := p.Advance(t.Context(), asLog(step.log)); fault.Is(err, fault.Conflict) != step.fails || err != nil != step.fails {
			t.Errorf("Advance to %v: %v, want a conflict: %v", step.log, err, step.fails)
		}
		wantMark(step.want)
	}
}

func TestPlace_Adopt(t *testing.T) {
	decision := port.Adoption{By: delivery.Actor{Name: "ann"}, Why: "the bucket moved", At: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	a, b := fake.NewRecordLog("A", 1, 2, 3), fake.NewRecordLog("B", 4)
	for _, c := range []struct {
		name    string
		before  *fake.RecordLog // nil: the environment has no anchor
		to      *fake.RecordLog
		want    port.LogMark
		decided bool
	}{
		{"another log", a, b, b.Mark(1), true},
		{"rolled back", a, fake.NewRecordLog("A", 1, 2), a.Mark(2), true},
		{"no log", a, nil, port.LogMark{}, true},
		{"same log", a, fake.NewRecordLog("A", 1, 2, 3, 5), a.Mark(3), false},
		{"not deployed yet", nil, b, b.Mark(1), true},
		{"nothing to do", nil, nil, port.LogMark{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace()
			if err := p.Advance(t.Context(), asLog(c.before)); err != nil {
				t.Fatal(err)
			}
			want := port.Anchor{Mark: c.want}
			if c.decided {
				d := decision
				want.Adopted = &d
				if c.before != nil {
					d.From = a.Mark(3)
				}
			}
			got, err := p.Adopt(t.Context(), asLog(c.to), decision)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("Adopt: %v (-want +got):\n%s", err, diff)
			}
			stored, err := p.Read(t.Context())
			if diff := cmp.Diff(want, stored); diff != "" || err != nil {
				t.Errorf("stored anchor: %v (-want +got):\n%s", err, diff)
			}
			if _, err := p.Check(t.Context(), asLog(c.to)); err != nil {
				t.Errorf("Check afterwards: %v", err)
			}
			if err := p.Advance(t.Context(), asLog(c.to)); err != nil {
				t.Fatal(err)
			}
			if last, _ := p.Read(t.Context()); (last.Adopted != nil) != c.decided {
				t.Errorf("after the next deployment, Adopted = %v, want it kept: %v", last.Adopted, c.decided)
			}
		})
	}
	t.Run("target without anchors", func(t *testing.T) {
		p := anchor.Place{Target: &fake.Target{}, Service: "api", Environment: "prod"}
		if _, err := p.Adopt(t.Context(), b, decision); !fault.Is(err, fault.Invalid) {
			t.Errorf("error = %v, want %s", err, fault.Invalid)
		}
	})
}
