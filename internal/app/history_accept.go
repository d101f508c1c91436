package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step/history"
)

// History is what an environment's target keeps of its history.
type History struct {
	Environment delivery.Environment      `json:"environment"`
	Pending     int                       `json:"pending"`            // records that no trusted key has signed
	Accepted    int                       `json:"accepted,omitempty"` // of those, by this command
	Deployments []delivery.Deployment     `json:"deployments"`        // newest first
	Releases    []delivery.ReleaseRecord  `json:"releases"`
	Models      []delivery.ModelVersion   `json:"models,omitempty"`
	Objects     map[string][]ObjectInView `json:"objects,omitempty"` // of each release, as it ran; by the name under which it did
}

// ObjectInView is an object that a release of a history would bring.
type ObjectInView struct {
	Kind   string   `json:"kind"`
	Name   string   `json:"name"`
	Images []string `json:"images,omitempty"`
}

// String names the object, with the images that it runs.
func (o ObjectInView) String() string {
	text := o.Kind + "/" + o.Name
	for _, image := range o.Images {
		text += " " + image
	}
	return text
}

// ShowHistory returns what the environment's target keeps of its history.
func (a *App) ShowHistory(ctx context.Context, env delivery.Environment) (out History, err error) {
	err = a.withPreviewSession(ctx, func(s *session) error {
		_, h, err := s.loadHistory(ctx, env)
		out = viewOf(h)
		return err
	})
	return out, err
}

// loadHistory reads the history that the environment's target keeps.
func (s *session) loadHistory(ctx context.Context, env delivery.Environment) (port.Target, port.History, error) {
	target, err := s.target(env)
	if err != nil {
		return nil, port.History{}, err
	}
	store, ok := target.(port.HistoryStore)
	if !ok {
		return nil, port.History{}, fault.New(fault.Invalid, "read the history of %s: its target keeps none", env).
			Hint("its history is in the records: `slipway status --env %s`", env)
	}
	h, err := store.LoadHistory(ctx, s.project.Service, env)
	return target, h, err
}

func viewOf(h port.History) History {
	out := History{
		Environment: h.Environment, Pending: unsignedRecords(h), Deployments: append([]delivery.Deployment{}, h.Deployments...),
		Releases: append([]delivery.ReleaseRecord{}, h.Releases...), Models: h.Models, Objects: map[string][]ObjectInView{},
	}
	for _, r := range h.Releases {
		out.Objects[string(r.ID)] = objectsInView(r.Release.Objects)
		for _, d := range h.Deployments {
			if d.Release == r.ID && d.Config != nil {
				out.Objects[string(d.Instance())] = objectsInView(d.Config.Objects)
			}
		}
	}
	return out
}

// objectsInView lists recorded objects. What can't be read is one of no name: a person
// should not accept it.
func objectsInView(text string) []ObjectInView {
	if text == "" {
		return nil
	}
	var objects []map[string]any
	if err := json.Unmarshal([]byte(text), &objects); err != nil {
		return []ObjectInView{{Kind: "unreadable", Name: err.Error()}}
	}
	var out []ObjectInView
	for _, o := range objects {
		kind, _ := o["kind"].(string)
		meta, _ := o["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		images := imagesIn(o, nil)
		slices.Sort(images)
		out = append(out, ObjectInView{kind, name, slices.Compact(images)})
	}
	return out
}

// imagesIn collects the images of all containers in an object, wherever its pods are
// described.
func imagesIn(v any, found []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if image, ok := inner.(string); ok && key == "image" {
				found = append(found, image)
			}
			found = imagesIn(inner, found)
		}
	case []any:
		for _, inner := range v {
			found = imagesIn(inner, found)
		}
	}
	return found
}

// AcceptHistory makes every record of the history that the environment's target keeps a
// trusted one: it is imported into the records, and signed. It is a person's word; a pull
// request may not give it.
func (a *App) AcceptHistory(ctx context.Context, env delivery.Environment) (out History, err error) {
	if job := a.ci(plan.Trigger{Event: plan.PushEvent}); job != nil && job.Event == plan.PullRequestEvent {
		return out, fault.New(fault.Denied, "accept the history of %s: a pull request can't do that", env).
			Hint("give the command on your machine, or in a job of the protected branch")
	}
	err = a.withSession(ctx, func(s *session) error {
		out, err = s.acceptHistory(ctx, env)
		return err
	})
	return out, err
}

func (s *session) acceptHistory(ctx context.Context, env delivery.Environment) (History, error) {
	target, h, err := s.loadHistory(ctx, env)
	if err != nil {
		return History{}, err
	}
	out := viewOf(h)
	if out.Pending == 0 {
		return out, nil
	}
	if err := s.checkMayAccept(ctx, env, target, h); err != nil {
		return out, err
	}
	if err := s.importRecords(ctx, env, trustedHistory(h)); err != nil {
		return out, err
	}
	rec := history.Records{Deployments: s.deps.Deployments, Releases: s.deps.Releases, Models: s.deps.Models, Log: s.deps.Log}
	if err := rec.Publish(ctx, target, s.project.Service, env); err != nil {
		return out, err
	}
	out.Accepted, out.Pending = out.Pending, 0
	text := fmt.Sprintf("%d pending records of the history of %s were accepted by %s", out.Accepted, env, s.app.actor())
	return out, s.announce(ctx, env, "history accepted", text)
}

// checkMayAccept refuses to accept where something else decides, where a run may be at
// work, and where others would not believe it.
func (s *session) checkMayAccept(ctx context.Context, env delivery.Environment, target port.Target, h port.History) error {
	if a, err := s.checkAnchor(ctx, env, target); err != nil {
		return err
	} else if a.Mark.Log != "" {
		return fault.New(fault.Invalid, "accept the history of %s: it belongs to a shared state, whose records decide", env).
			Hint("the history in the target is only a copy; the next run writes it anew")
	}
	if r, ok, err := s.deps.Runs.Head(ctx, env); err != nil {
		return err
	} else if ok {
		return fault.New(fault.Conflict, "run %s of %s is in progress in %s", r.ID, r.By, env).Hint("wait for it, or stop it with `slipway cancel %s`", r.ID)
	}
	if len(h.Deployments) > 0 && h.Deployments[0].State == delivery.Deploying {
		d := h.Deployments[0]
		return fault.New(fault.Conflict, "accept the history of %s: run %s by %s deploys %s", env, d.Run, d.By, d.Release).
			Hint("wait for it, or finish it where it was started: `slipway run --resume %s`", d.Run)
	}
	keys, err := s.historyKeys(env)
	if err == nil && len(keys.Trust.Keys) > 0 && keys.Sign == nil {
		return fault.New(fault.Denied, "accept the history of %s: the environment trusts keys, and this machine has none to sign with", env).
			Hint("give the command where sign.key can be read")
	}
	return err
}

// trustedHistory returns the history without its marks.
func trustedHistory(h port.History) port.History {
	h.Deployments, h.Releases, h.Models = slices.Clone(h.Deployments), slices.Clone(h.Releases), slices.Clone(h.Models)
	for i := range h.Deployments {
		h.Deployments[i].Unsigned = false
	}
	for i := range h.Models {
		h.Models[i].Unsigned = false
	}
	for i := range h.Releases {
		h.Releases[i].Unsigned = false
		if q := h.Releases[i].Quarantined; q != nil {
			held := *q
			held.Unsigned, h.Releases[i].Quarantined = false, &held
		}
	}
	return h
}
