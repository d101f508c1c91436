package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// maxEventLine is the length of the longest event that a run's file may hold.
const maxEventLine = 4 << 20

// RunDetails is a run with what it printed.
type RunDetails struct {
	Summary record.RunSummary
	Report  RunReport
	Events  []event.Event
	Removed bool // `slipway cleanup` removed what it printed; Events are made from its records
}

// Runs lists the newest runs, limit 0 for all, of the environment or of all with an
// empty name.
func (a *App) Runs(ctx context.Context, env delivery.Environment, limit int) ([]record.RunSummary, error) {
	out := []record.RunSummary{}
	err := a.withSession(ctx, func(s *session) error {
		if env != "" {
			if _, err := s.project.Environment(env); err != nil {
				return err
			}
		}
		found, err := port.First(limit, record.AllRuns(ctx, s.deps.Runs, env))
		out = append(out, found...)
		return err
	})
	return out, err
}

// RunEvents returns what a run printed so far, and how it ended.
func (a *App) RunEvents(ctx context.Context, ref string) (out RunDetails, err error) {
	err = a.withSession(ctx, func(s *session) error {
		r, err := s.run(ctx, ref)
		if err != nil {
			return err
		}
		out.Summary = r.RunSummary
		if out.Report, err = s.report(ctx, r); err != nil {
			return err
		}
		var found bool
		if out.Events, found, err = s.events(ctx, r.ID); err == nil && !found {
			out.Removed = true
			out.Events, err = s.recordedEvents(ctx, r)
		}
		return err
	})
	return out, err
}

// events returns what a run printed on this machine, and what other machines saved; found
// is false if it was removed.
func (s *session) events(ctx context.Context, run delivery.RunID) (all []event.Event, found bool, err error) {
	path := engine.EventsPath(s.workspace.Home, run)
	add := func(_ record.RunFile, r io.Reader) error {
		some, err := readEvents(r)
		all, found = append(all, some...), true
		return err
	}
	others := s.elsewhere(run)
	if err := others.update(ctx); err != nil {
		return nil, false, err
	}
	if err := others.copy(ctx, others.before, filepath.Base(path), add); err != nil {
		return nil, false, err
	}
	f, err := os.Open(path)
	if err == nil {
		err = errors.Join(add(record.RunFile{}, f), f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("read %s: %w", path, err)
	}
	err = others.copy(ctx, others.after, filepath.Base(path), add)
	return all, found, err
}

// readEvents reads lines of events. One that a killed process did not complete is left
// out.
func readEvents(r io.Reader) ([]event.Event, error) {
	var out []event.Event
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEventLine)
	for lines.Scan() {
		var e event.Event
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			out = append(out, e)
		}
	}
	return out, lines.Err()
}

// recordedEvents makes the events of a run from its records.
func (s *session) recordedEvents(ctx context.Context, r record.Run) ([]event.Event, error) {
	steps, err := s.deps.Runs.ListSteps(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	out := []event.Event{{Time: r.StartedAt, Kind: event.RunStarted, Run: r.ID, Environment: r.Environment}}
	for _, st := range steps {
		if st.Result == nil {
			continue
		}
		res := *st.Result
		for i := range res.GateResults {
			out = append(out, event.Event{Time: res.Ended, Kind: event.GateEvaluated, Run: r.ID, Environment: r.Environment, Step: st.Name, GateResult: &res.GateResults[i]})
		}
		text := res.Cause
		if text == "" {
			text = res.Summary
		}
		out = append(out, event.Event{
			Time: res.Ended, Kind: event.StepFinished, Run: r.ID, Environment: r.Environment, Step: st.Name, Outcome: res.Outcome,
			Cached: res.Cached, Seconds: seconds(res.Started, res.Ended), Text: text, Hint: res.Hint,
		})
	}
	if !r.EndedAt.IsZero() {
		out = append(out, event.Event{
			Time: r.EndedAt, Kind: event.RunFinished, Run: r.ID, Environment: r.Environment, Outcome: r.Outcome, Release: r.Release,
			Text: r.Cause, Hint: r.Hint, Seconds: seconds(r.StartedAt, r.EndedAt),
		})
	}
	return out, nil
}
