package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// run finds a run by its ID, a prefix or suffix of it, or "latest".
func (s *session) run(ctx context.Context, ref string) (record.Run, error) {
	if id := delivery.RunID(ref); id.Valid() {
		return s.deps.Runs.Get(ctx, id)
	}
	var found []record.RunSummary
	for r, err := range record.AllRuns(ctx, s.deps.Runs, "") {
		if err != nil {
			return record.Run{}, err
		}
		if ref == "latest" || strings.HasPrefix(string(r.ID), ref) || strings.HasSuffix(string(r.ID), ref) {
			found = append(found, r)
		}
		if ref == "latest" && len(found) == 1 {
			break
		}
	}
	switch {
	case ref == "" || len(found) == 0:
		return record.Run{}, fault.New(fault.NotFound, "run %q not found", ref).Hint("`slipway runs` lists them; `latest` is the newest")
	case len(found) > 1:
		return record.Run{}, fault.New(fault.Invalid, "%d runs match %q", len(found), ref).Hint("use a longer prefix, such as %s", found[0].ID)
	}
	return s.deps.Runs.Get(ctx, found[0].ID)
}

// newRunID returns an ID that is unique within a service: the time in seconds, and one
// of 1.6 million random values.
func newRunID(now time.Time) delivery.RunID {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return delivery.RunID(now.UTC().Format("20060102-150405") + "-" + string(b[:]))
}

func (s *session) report(ctx context.Context, r record.Run) (RunReport, error) {
	rep := RunReport{Run: r.ID, Release: r.Release, Environment: r.Environment, Outcome: r.Outcome, Cause: r.Cause, Hint: r.Hint, Steps: []StepReport{}, NotRetrained: r.Plan.Held}
	if r.State == record.Waiting {
		rep.Outcome = delivery.OutcomeWaiting
	}
	if !r.EndedAt.IsZero() && !r.StartedAt.IsZero() {
		rep.Seconds = seconds(r.StartedAt, r.EndedAt)
	}
	steps, err := s.deps.Runs.ListSteps(ctx, r.ID)
	for _, st := range steps {
		if st.Result == nil {
			continue
		}
		res := *st.Result
		rep.Steps = append(rep.Steps, StepReport{Name: st.Name, Outcome: res.Outcome, Cached: res.Cached,
			Seconds: seconds(res.Started, res.Ended), Summary: res.Summary, Cause: res.Cause, Cost: res.Cost})
		if st.Kind == step.Rollback && res.Outcome == delivery.OutcomeSucceeded {
			rep.RolledBack = &RolledBack{}
		}
		rep.addOutput(st.Kind, res.Output)
	}
	if err != nil {
		return rep, err
	}
	return rep, s.addRelease(ctx, &rep)
}

// addOutput adds what a step made.
func (rep *RunReport) addOutput(kind step.Kind, output json.RawMessage) {
	switch kind {
	case step.Push:
		var o step.PushOutput
		if json.Unmarshal(output, &o) == nil && o.Image.Digest != "" {
			rep.Image = &RunImage{Reference: o.Reference, Digest: o.Image.Digest, Tag: o.Tag}
		}
	case step.Register:
		var o step.RegisterOutput
		if json.Unmarshal(output, &o) == nil && o.Model.Group != "" {
			rep.Model = &o.Model
		}
	default:
		var o step.DeployOutput
		if json.Unmarshal(output, &o) != nil {
			return // a step with another output
		}
		if o.URL != "" {
			rep.URL = o.URL
		}
		if kind == step.Rollback && rep.RolledBack != nil {
			rep.RolledBack.To = o.Release
		}
	}
}

// addRelease adds what the run's release has and no step of the run made.
func (s *session) addRelease(ctx context.Context, rep *RunReport) error {
	if rep.Release == "" || rep.Image != nil && rep.Model != nil {
		return nil
	}
	r, err := s.deps.Releases.Get(ctx, rep.Release.Base())
	if fault.Is(err, fault.NotFound) {
		return nil // it failed before it was recorded
	}
	if err != nil {
		return err
	}
	if rep.Image == nil {
		rep.Image = &RunImage{Reference: s.deps.Reference(r.Release.Image), Digest: r.Release.Image.Digest}
	}
	if rep.Model == nil {
		rep.Model = r.Release.Model
	}
	return nil
}

func seconds(from, to time.Time) float64 {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return float64(to.Sub(from).Milliseconds()) / 1000
}
