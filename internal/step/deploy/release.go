package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// schema is the form of release records.
const schema = 1

// release is the recorded release to deploy: whole, and allowed to serve.
// The values of its Secrets come beside it, when it is made here: they are in no
// record.
func (s Step) release(ctx context.Context, r step.Request, w step.DeployParams, t port.Target) (delivery.ReleaseRecord, []port.Secret, error) {
	rel, secrets, err := s.recorded(ctx, r, w, t)
	if err != nil {
		return rel, nil, err
	}
	if err := s.allowed(ctx, rel); err != nil {
		return rel, secrets, err
	}
	return rel, secrets, scanned(r, w, rel)
}

// scanned refuses a release that comes from elsewhere and did not pass the scan
// there, where that is asked for.
func scanned(r step.Request, w step.DeployParams, rel delivery.ReleaseRecord) error {
	passed := func(a delivery.GateResult) bool { return a.Gate == string(step.Scan) && a.Verdict == delivery.Passed }
	if !w.RequireScan || slices.ContainsFunc(rel.Release.GateResults, passed) {
		return nil
	}
	return fault.New(fault.Denied, "release %s has not passed the scan", rel.ID).
		Hint("deliver its commit to %[1]s, which scans it; or take it all the same with environments.%[1]s.scan: {unavailable: accept}", r.Environment)
}

// allowed refuses what is quarantined, or has a model that nobody approved.
func (s Step) allowed(ctx context.Context, rel delivery.ReleaseRecord) error {
	if q := rel.Quarantined; q != nil {
		return fault.New(fault.Conflict, "release %s is quarantined since %s: %s",
			rel.ID, q.Since.Format("2006-01-02 15:04"), q.Reason).
			Hint("mend the cause and deliver a new release; or let this one go: `slipway releases unquarantine %s --why REASON`", rel.ID)
	}
	if m := rel.Release.Model; m != nil {
		return s.approved(ctx, *m)
	}
	return nil
}

func (s Step) recorded(ctx context.Context, r step.Request, w step.DeployParams, t port.Target) (delivery.ReleaseRecord, []port.Secret, error) {
	if w.Release != "" {
		rel, err := s.Releases.Get(ctx, w.Release)
		if err != nil {
			return rel, nil, fmt.Errorf("read release %s: %w", w.Release, err)
		}
		return rel, nil, s.trusted(ctx, r, w, rel.Release)
	}
	made, err := made(r, w)
	if err != nil {
		return delivery.ReleaseRecord{}, nil, err
	}
	if err := s.trusted(ctx, r, w, made); err != nil {
		return delivery.ReleaseRecord{}, nil, err
	}
	secrets, err := s.render(ctx, r, w, t, &made)
	if err != nil {
		return delivery.ReleaseRecord{}, nil, err
	}
	rel, err := s.Releases.Save(ctx, r.Run, made)
	if err != nil {
		return rel, nil, fmt.Errorf("record the release: %w", err)
	}
	return rel, secrets, nil
}

// trusted asks whether the environment trusts what the release pins, before
// anything of it is rendered, packed, recorded or brought anywhere.
func (s Step) trusted(ctx context.Context, r step.Request, w step.DeployParams, rel delivery.Release) error {
	if w.Trust == nil {
		return nil
	}
	r.Progress("checking signatures")
	return s.Trust.Verify(ctx, rel, *w.Trust)
}

// approved makes sure that a person, or the gates in their name, let the model
// through: whatever steps the plan had before this one.
func (s Step) approved(ctx context.Context, ref delivery.ModelRef) error {
	v, err := s.Models.Get(ctx, ref.Group, ref.Version)
	if err != nil {
		return fmt.Errorf("read the approval of model %s: %w", ref, err)
	}
	if v.Digest != ref.Digest {
		return fault.New(fault.Corrupt, "model %s is registered as %s, but the release pins %s", ref, v.Digest.Short(), ref.Digest.Short())
	}
	if v.Status != delivery.Approved {
		return fault.New(fault.Denied, "model %s is not approved (%s)", ref, v.Status).Hint("slipway approve %s", ref)
	}
	return nil
}

// made puts the release together from what the steps before it gave. Nothing of
// it may depend on when, where or by whom, nor on what serves now: the same
// inputs have to be the same release, or a quarantine would be easy to escape.
func made(r step.Request, w step.DeployParams) (delivery.Release, error) {
	pushed, ok, err := step.OutputOf[step.PushOutput](r.Inputs, step.Push)
	if err != nil {
		return delivery.Release{}, err
	}
	if !ok || !pushed.Image.Digest.Valid() {
		return delivery.Release{}, fault.New(fault.Internal, "deploy %s: no push step ran before it", r.Service)
	}
	model, err := model(r, w)
	if err != nil {
		return delivery.Release{}, err
	}
	gates, err := gates(r)
	if err != nil {
		return delivery.Release{}, err
	}
	workload := w.Workload
	if len(w.Manifests) == 0 {
		workload.Replicas = max(1, workload.Replicas)
	}
	if workload.Health == "" {
		workload.Health = "/health"
	}
	attested, _, err := step.OutputOf[step.AttestOutput](r.Inputs, step.Attest)
	if err != nil {
		return delivery.Release{}, err
	}
	raw, err := json.Marshal(workload)
	if err != nil {
		return delivery.Release{}, fmt.Errorf("write the workload: %w", err)
	}
	sbom, err := sbom(r)
	if err != nil {
		return delivery.Release{}, err
	}
	return delivery.Release{
		Schema: schema, Service: r.Service, Commit: r.Commit.SHA, Tree: r.Commit.Tree, Dirty: r.Commit.Dirty,
		Image: pushed.Image, Model: model, Workload: workload, GateResults: gates, SBOM: sbom,
		Manifests:  delivery.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(raw))),
		Provenance: attested.Provenance,
	}, nil
}

// sbom is the digest of the image's bill of materials (CycloneDXPredicate), if this run
// wrote one.
func sbom(r step.Request) (delivery.Digest, error) {
	seen, _, err := step.OutputOf[step.ScanOutput](r.Inputs, step.Scan)
	if err != nil || seen.SBOMs == nil {
		return "", err
	}
	return seen.SBOMs.CycloneDX.Digest, nil
}

// model is the one that this run registered, or the one that the plan pinned.
func model(r step.Request, w step.DeployParams) (*delivery.ModelRef, error) {
	reg, ok, err := step.OutputOf[step.RegisterOutput](r.Inputs, step.Register)
	if err != nil {
		return nil, err
	}
	if ok {
		return &reg.Model, nil
	}
	if len(step.NamesOf(r.Inputs, step.Train)) > 0 {
		return nil, fault.New(fault.Internal, "a model was trained, but the step that registers it gave nothing")
	}
	return w.Model, nil
}

// gates are the answers that depend on what is delivered alone: that the tests
// passed (their numbers may differ from run to run), and the model's own gates.
func gates(r step.Request) ([]delivery.GateResult, error) {
	var answers []delivery.GateResult
	for _, name := range step.NamesOf(r.Inputs, step.Test) {
		answers = append(answers, delivery.GateResult{Gate: name, Verdict: delivery.Passed})
	}
	if seen, ok, err := step.OutputOf[step.ScanOutput](r.Inputs, step.Scan); err != nil {
		return nil, err
	} else if ok {
		answers = append(answers, delivery.GateResult{Gate: string(step.Scan), Verdict: seen.Verdict})
	}
	for _, name := range step.NamesOf(r.Inputs, step.Evaluate) {
		e, _, err := step.DecodeOutput[step.EvaluateOutput](r.Inputs, name)
		if err != nil {
			return nil, err
		}
		answers = append(answers, e.GateResults...)
	}
	return answers, nil
}
