package record_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// history finds runs in a map.
type history struct {
	record.RunHistory
	runs map[delivery.RunID]record.Run
	err  error
}

func (h history) Get(_ context.Context, id delivery.RunID) (record.Run, error) {
	r, ok := h.runs[id]
	switch {
	case h.err != nil:
		return record.Run{}, h.err
	case !ok:
		return record.Run{}, fault.New(fault.NotFound, "run %s not found", id)
	}
	return r, nil
}

func (h history) List(context.Context, delivery.Environment, port.Page) (list []record.RunSummary, next port.Cursor, err error) {
	for _, r := range h.runs {
		list = append(list, r.RunSummary)
	}
	return list, "", h.err
}

// TestFindOvertaker_SkippedRun: the run of a revert is skipped, for what it would
// deploy is deployed; the run before it, which waits, is older all the same.
func TestFindOvertaker_SkippedRun(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 2, 11, minute, 0, 0, time.UTC) }
	run := record.RunSummary{ID: "20260102-110000-mmmm", State: record.Waiting, Turn: 1, CreatedAt: at(0)}
	current := delivery.Deployment{Run: "20260102-100000-aaaa", Release: "r-1", ServingAt: at(-30)}
	ran := func(minute int, outcome delivery.Outcome, release delivery.ReleaseID) record.Run {
		return record.Run{RunSummary: record.RunSummary{ID: "20260102-113000-rrrr", CreatedAt: at(minute), Outcome: outcome, Release: release, Commit: "c", By: delivery.Actor{Name: "ann"}}}
	}
	for name, c := range map[string]struct {
		other record.Run
		want  bool
	}{
		"skipped later":           {ran(30, delivery.OutcomeSkipped, "r-1"), true},
		"skipped before":          {ran(-30, delivery.OutcomeSkipped, "r-1"), false},
		"skipped for another one": {ran(30, delivery.OutcomeSkipped, "r-2"), false},
		"failed later":            {ran(30, delivery.OutcomeFailed, "r-1"), false},
	} {
		t.Run(name, func(t *testing.T) {
			h := history{runs: map[delivery.RunID]record.Run{
				current.Run: {RunSummary: record.RunSummary{ID: current.Run, CreatedAt: at(-60)}}, c.other.ID: c.other,
			}}
			got, err := record.FindOvertaker(t.Context(), h, run, current)
			if err != nil || (got != nil) != c.want {
				t.Fatalf("overtaker = %v, %v, want one: %v", got, err, c.want)
			}
			if c.want && (got.Run != c.other.ID || got.Commit != "c" || got.By != "ann") {
				t.Errorf("overtaker = %+v, want the skipped run", got)
			}
		})
	}
}

func TestFindOvertaker(t *testing.T) {
	const older, waiting, newer = delivery.RunID("20260102-100000-aaaa"), delivery.RunID("20260102-110000-mmmm"), delivery.RunID("20260102-120000-bbbb")
	const sameSecond = delivery.RunID("20260102-110000-aaaa")
	at := func(minute int) time.Time { return time.Date(2026, 1, 2, 11, minute, 0, 0, time.UTC) }
	known := map[delivery.RunID]record.Run{
		older:      {RunSummary: record.RunSummary{ID: older, CreatedAt: at(-60), By: delivery.Actor{Name: "ann"}}},
		newer:      {RunSummary: record.RunSummary{ID: newer, CreatedAt: at(60), By: delivery.Actor{Name: "ann"}, Commit: "0123456789abcdef"}},
		sameSecond: {RunSummary: record.RunSummary{ID: sameSecond, CreatedAt: at(0).Add(time.Millisecond), By: delivery.Actor{Name: "ann"}}},
	}
	run := record.RunSummary{ID: waiting, State: record.Waiting, Turn: 1, CreatedAt: at(0)}
	continued, first := run, run
	continued.State, continued.Turn = record.Running, 2
	first.State = record.Running
	served := func(by delivery.RunID) delivery.Deployment {
		return delivery.Deployment{Run: by, Release: "r-1", By: "cy", ServingAt: at(70)}
	}
	overtaker := &record.Overtaker{Run: newer, Release: "r-1", Commit: "0123456789abcdef", By: "ann", Since: at(70)}
	for name, c := range map[string]struct {
		run     record.RunSummary
		current delivery.Deployment
		unknown bool
		want    *record.Overtaker
	}{
		"nothing is deployed":             {run, delivery.Deployment{}, false, nil},
		"an older run's release":          {run, served(older), false, nil},
		"a newer run's release":           {run, served(newer), false, overtaker},
		"approved, overtaken after that":  {continued, served(newer), false, overtaker},
		"never waited":                    {first, served(newer), false, nil},
		"its own release":                 {run, served(waiting), false, nil},
		"created in the same second":      {run, served(sameSecond), false, &record.Overtaker{Run: sameSecond, Release: "r-1", By: "ann", Since: at(70)}},
		"another machine's newer run":     {run, served(newer), true, &record.Overtaker{Run: newer, Release: "r-1", By: "cy", Since: at(70)}},
		"another machine's older run":     {run, served(older), true, nil},
		"another machine's, same second":  {run, served(sameSecond), true, nil},
		"a run without a well-formed ID":  {run, served("x"), true, nil},
		"history from before run records": {run, served(""), true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := history{runs: known}
			if c.unknown {
				h.runs = nil
			}
			got, err := record.FindOvertaker(t.Context(), h, c.run, c.current)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("overtaker (-want +got):\n%s", diff)
			}
		})
	}
	why := errors.New("disk")
	if _, err := record.FindOvertaker(t.Context(), history{err: why}, run, served(newer)); !errors.Is(err, why) {
		t.Errorf("error = %v, want %v", err, why)
	}
}

func TestOvertaker_String(t *testing.T) {
	o := record.Overtaker{Run: "20260102-120000-bbbb", Commit: "0123456789abcdef", By: "ann", Since: time.Date(2026, 1, 2, 12, 10, 0, 0, time.UTC)}
	const want = "run 20260102-120000-bbbb (commit 0123456, by ann), deployed since 2026-01-02 12:10 UTC"
	if o.String() != want {
		t.Errorf("String() = %q, want %q", o, want)
	}
	if got := (record.Overtaker{Run: "x"}).String(); got != "run x" {
		t.Errorf("String() = %q, want %q", got, "run x")
	}
}
