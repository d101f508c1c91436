package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// VerifyResult is the result of `slipway verify`.
type VerifyResult struct {
	Environment delivery.Environment  `json:"environment"`
	Release     delivery.ReleaseID    `json:"release"`
	Verdict     delivery.Verdict      `json:"verdict"`
	Summary     string                `json:"summary"`
	URL         string                `json:"url"`
	GateResults []delivery.GateResult `json:"answers"`
	Drift       []port.Drift          `json:"drift,omitempty"` // how what is live differs from the record
	Notes       []string              `json:"notes,omitempty"` // what the target tells besides, such as its autoscalers
}

// Verify probes the deployed release as a run does after a deploy, and changes nothing.
func (a *App) Verify(ctx context.Context, env delivery.Environment) (v VerifyResult, err error) {
	err = a.withSession(ctx, func(s *session) error {
		v, err = s.verify(ctx, env)
		return err
	})
	return v, err
}

func (s *session) verify(ctx context.Context, env delivery.Environment) (VerifyResult, error) {
	v := VerifyResult{Environment: env, Verdict: delivery.Failed}
	target, err := s.target(env)
	if err != nil {
		return v, err
	}
	if err := s.syncHistory(ctx, env); err != nil {
		return v, err
	}
	d, ok, err := s.deps.Deployments.Current(ctx, env)
	if err != nil {
		return v, err
	}
	if !ok {
		return v, fault.New(fault.NotFound, "nothing is deployed in %s", env).Hint("deploy a release with `slipway run --env %s`", env)
	}
	saved, err := s.deps.Releases.Get(ctx, d.Release)
	if err != nil {
		return v, err
	}
	files, err := s.smokeFiles(plan.SmokeFiles(s.project, env))
	if err != nil {
		return v, err
	}
	spec, err := plan.VerifyStep(s.project, env, saved, files)
	if err != nil {
		return v, err
	}
	r := step.Request{
		Service: s.project.Service, Environment: env, StartedBy: s.app.actor(), Spec: spec, Attempt: 1, RepositoryDir: s.workspace.Repository,
		Inputs: map[string]json.RawMessage{}, Log: io.Discard, OnProgress: func(string) {}, Emit: func(event.Event) {},
	}
	res, err := s.deps.Steps[step.Verify].Run(ctx, r)
	if err != nil {
		return v, err
	}
	if observed, err := target.Observe(ctx, s.project.Service, env); err == nil { // the verdict does not depend on it
		v.Notes = observed.Notes
	}
	if v.Drift, err = s.drift(ctx, target, d, saved.Release); err != nil {
		v.Notes = append(v.Notes, err.Error())
	}
	v.Notes = append(v.Notes, s.latestNotes(ctx, target, saved.Release.Image.Repository)...)
	out, _, err := step.DecodeOutput[step.DeployOutput](map[string]json.RawMessage{"verify": res.Output}, "verify")
	v.Release, v.Summary, v.URL, v.GateResults = d.Release, res.Summary, out.URL, res.GateResults
	if res.Outcome == delivery.OutcomeSucceeded {
		v.Verdict = delivery.Passed
	} else {
		v.Summary = s.redactor.Text(res.Cause)
	}
	for i := range v.GateResults { // a service may send back the headers that it got
		v.GateResults[i].Evidence = s.redactor.Text(v.GateResults[i].Evidence)
	}
	return v, err
}

// latestNotes warns of what runs the image by the tag latest: where no run pushes it, that
// is an image from before.
func (s *session) latestNotes(ctx context.Context, target port.Target, repository string) []string {
	finder, ok := target.(port.LatestFinder)
	if !ok || slices.Contains(s.project.Image.Tags, "latest") {
		return nil
	}
	users, err := finder.FindLatest(ctx, repository)
	if err != nil {
		return []string{"who runs " + repository + ":latest is not known: " + err.Error()}
	}
	var notes []string
	for _, user := range users {
		notes = append(notes, fmt.Sprintf("%s runs %s:latest, which Slipway never pushes: it stays what it was. Name a digest, or a tag of image.tags", user, repository))
	}
	return notes
}
