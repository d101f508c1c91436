package deploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/release"
	"github.com/slipway-cd/slipway/internal/step"
)

// prepare finds or makes the recorded release to deploy: complete, and allowed
// in this environment. It returns the values of its Secrets if it was made here:
// they are never recorded.
func (d *deployment) prepare(ctx context.Context) ([]port.Secret, error) {
	secrets, err := d.record(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.checkAllowed(ctx); err != nil {
		return nil, err
	}
	if err := d.checkScanned(); err != nil {
		return nil, err
	}
	overridden, err := d.override(ctx)
	if err != nil {
		return nil, err
	}
	if d.config != nil {
		secrets = overridden
	}
	if d.params.Release != "" || d.config != nil { // what was rendered here without overrides is checked already
		if err := d.checkImages(ctx, d.rel.Release.WithConfiguration(d.config)); err != nil {
			return nil, err
		}
	}
	return secrets, d.checkConfiguration(ctx)
}

// record sets the release: the one that the parameters name, or a new one.
func (d *deployment) record(ctx context.Context) (secrets []port.Secret, err error) {
	if d.params.Release != "" {
		if d.rel, err = d.Recorded(ctx, d.params.Release); err != nil {
			return nil, err
		}
		if err := d.checkExists(ctx); err != nil {
			return nil, err
		}
		return nil, d.checkTrusted(ctx, d.rel)
	}
	rel, origin, err := assemble(d.Request, d.params)
	if err != nil {
		return nil, err
	}
	if err := d.checkTrusted(ctx, delivery.ReleaseRecord{Release: rel, Origin: origin}); err != nil {
		return nil, err
	}
	config, secrets, err := d.render(ctx, rel, d.params.ManifestParams)
	if err != nil {
		return nil, err
	}
	if err := d.checkImages(ctx, rel.WithConfiguration(config)); err != nil {
		return nil, err
	}
	if d.rel, err = d.Releases.Save(ctx, rel.WithConfiguration(config), origin); err != nil {
		return nil, fmt.Errorf("record the release: %w", err)
	}
	return secrets, d.keepName(ctx)
}

// keepName takes the name of what is deployed if it has the same content: another
// machine, or an older Slipway, may have named it otherwise.
func (d *deployment) keepName(ctx context.Context) error {
	current, ok, err := d.Current(ctx)
	if err != nil || !ok || current.Release == d.rel.ID {
		return err
	}
	deployed, err := d.Recorded(ctx, current.Release)
	if err != nil || deployed.Unsigned {
		return err
	}
	mine, err := release.ContentDigest(d.rel.Release)
	if err != nil {
		return err
	}
	theirs, err := release.ContentDigest(deployed.Release)
	if err == nil && mine == theirs {
		deployed.Origin = d.rel.Origin
		d.rel = deployed
	}
	return err
}

// override sets the configuration that the environment changes, if it differs from
// the release's own, and returns the values of its Secrets.
func (d *deployment) override(ctx context.Context) ([]port.Secret, error) {
	over := d.params.Overrides
	if over.IsZero() {
		return nil, nil
	}
	rel := d.rel.Release
	rel.Workload = over.Apply(rel.Workload)
	config, secrets, err := d.render(ctx, rel, d.params.With(over))
	if err != nil {
		return nil, err
	}
	if config == nil {
		config = &delivery.Configuration{Workload: rel.Workload, Manifests: rel.Workload.Digest()}
	}
	if own := d.rel.Release.Configuration(); config.Digest() != own.Digest() {
		d.config = config
	}
	return secrets, nil
}

// checkConfiguration refuses the release as it would run here if that was rolled back
// before: the release itself need not be quarantined for its overrides.
func (d *deployment) checkConfiguration(ctx context.Context) error {
	q, err := d.Releases.FindQuarantine(ctx, d.rel.Release.WithConfiguration(d.config), d.inputs())
	if err != nil {
		return fmt.Errorf("look for a quarantine of %s: %w", d.rel.ID, err)
	}
	if q == nil {
		return nil
	}
	return fault.New(fault.Conflict, "release %s with the configuration of %s has been quarantined since %s: %s",
		d.rel.ID, d.Request.Environment, q.Since.Format("2006-01-02 15:04"), q.Summary()).
		Hint("change its configuration, or unquarantine this one: `slipway releases unquarantine %s --why REASON`", q.Release)
}

// inputs are the digests of what the deployment was made from, as the plan compares
// them with those of the next one.
func (d *deployment) inputs() delivery.Inputs {
	return delivery.Inputs{Build: d.rel.Origin.Inputs.Build, Configuration: d.params.ConfigurationDigest, Policy: d.params.PolicyDigest}
}

// checkTrusted verifies what the release pins against the environment's trust
// policy, before any of it is rendered, packed, recorded or deployed.
func (d *deployment) checkTrusted(ctx context.Context, rel delivery.ReleaseRecord) error {
	if d.params.Trust == nil {
		return nil
	}
	d.Request.Progress("checking signatures")
	return d.step.Trust.Verify(ctx, rel, *d.params.Trust)
}

// checkImages holds every image of the manifests against the trust policy, not only the
// release's own.
func (d *deployment) checkImages(ctx context.Context, rel delivery.Release) error {
	if d.params.Trust == nil {
		return nil
	}
	return d.step.Trust.VerifyObjects(ctx, rel, *d.params.Trust, d.packed...)
}

// checkAllowed refuses a release that no trusted key has signed, that is quarantined, or
// has an unapproved model.
func (d *deployment) checkAllowed(ctx context.Context) error {
	if d.rel.Unsigned {
		return step.UnsignedError(d.rel.ID, d.Request.Environment)
	}
	if q := d.rel.Quarantined; q != nil {
		return fault.New(fault.Conflict, "release %s has been quarantined since %s: %s",
			d.rel.ID, q.Since.UTC().Format("2006-01-02 15:04 MST"), q.Summary()).
			Hint("fix the cause and deliver a new release, or unquarantine this one: `slipway releases unquarantine %s --why REASON`", d.rel.ID)
	}
	if m := d.rel.Release.Model; m != nil {
		return d.checkApproved(ctx, *m)
	}
	return nil
}

// checkApproved makes sure that the model was approved, by a person or by its
// gates, whatever steps the plan had before this one.
func (d *deployment) checkApproved(ctx context.Context, ref delivery.ModelRef) error {
	v, err := d.Models.Get(ctx, ref.Group, ref.Version)
	if err != nil {
		return fmt.Errorf("read the approval of model %s: %w", ref, err)
	}
	if v.Digest != ref.Digest {
		return fault.New(fault.Corrupt, "model %s is registered with digest %s, but the release pins %s", ref, v.Digest.Short(), ref.Digest.Short())
	}
	if v.Status != delivery.Approved {
		return fault.New(fault.Denied, "model %s is not approved (%s)", ref, v.Status).Hint("slipway approve %s", ref)
	}
	return nil
}

// checkScanned refuses a release from another environment that did not pass its
// scan there, if this environment requires one.
func (d *deployment) checkScanned() error {
	passed := func(r delivery.GateResult) bool { return r.Gate == string(step.Scan) && r.Verdict == delivery.Passed }
	if !d.params.RequireScan || slices.ContainsFunc(d.rel.Origin.GateResults, passed) {
		return nil
	}
	return fault.New(fault.Denied, "release %s has not passed a scan", d.rel.ID).
		Hint("deliver its commit to %[1]s, which scans it; or accept unscanned releases with environments.%[1]s.scan: {unavailable: accept}", d.Request.Environment)
}

// assemble makes the release, and what is known about its making, from the outputs of
// the steps before. Nothing in the release may depend on when, where, by which person
// or from which commit, nor on what is deployed now: the same content has to be the
// same release, or a quarantine would be easy to escape.
func assemble(r step.Request, params step.DeployParams) (rel delivery.Release, o delivery.Origin, err error) {
	pushed, ok, err := step.OutputOf[step.PushOutput](r.Inputs, step.Push)
	if err != nil {
		return rel, o, err
	}
	if !ok || !pushed.Image.Digest.Valid() {
		return rel, o, fault.New(fault.Internal, "deploy %s: the plan has no push step before it", r.Service)
	}
	model, err := modelOf(r, params)
	if err != nil {
		return rel, o, err
	}
	workload := params.ReleaseWorkload()
	rel = delivery.Release{
		Schema: delivery.ReleaseForm, Service: r.Service, Image: pushed.Image, Model: model,
		Workload: workload, Manifests: workload.Digest(),
	}
	o, err = originOf(r, params)
	return rel, o, err
}

// originOf is what the run knows about the release that it makes.
func originOf(r step.Request, params step.DeployParams) (o delivery.Origin, err error) {
	o = delivery.Origin{
		Run: r.Run, Commit: r.Commit.SHA, Tree: r.Commit.Tree, Dirty: r.Commit.Dirty,
		Inputs: delivery.Inputs{Configuration: params.BaseDigest},
	}
	if o.GateResults, err = gateResults(r); err != nil {
		return o, err
	}
	if o.SBOM, err = sbomOf(r); err != nil {
		return o, err
	}
	built, _, err := step.OutputOf[step.BuildOutput](r.Inputs, step.Build)
	if err != nil {
		return o, err
	}
	o.Inputs.Build = built.Inputs
	attested, _, err := step.OutputOf[step.AttestOutput](r.Inputs, step.Attest)
	o.Provenance = attested.Provenance
	return o, err
}

// sbomOf is the digest of the image's SBOM (CycloneDX), if this run wrote one.
func sbomOf(r step.Request) (delivery.Digest, error) {
	scan, _, err := step.OutputOf[step.ScanOutput](r.Inputs, step.Scan)
	if err != nil || scan.SBOMs == nil {
		return "", err
	}
	return scan.SBOMs.CycloneDX.Digest, nil
}

// modelOf is the model that this run registered, or that the plan pinned.
func modelOf(r step.Request, params step.DeployParams) (*delivery.ModelRef, error) {
	registered, ok, err := step.OutputOf[step.RegisterOutput](r.Inputs, step.Register)
	if err != nil {
		return nil, err
	}
	if ok {
		return &registered.Model, nil
	}
	if len(step.NamesOf(r.Inputs, step.Train)) > 0 {
		return nil, fault.New(fault.Internal, "a model was trained, but the register step has no output")
	}
	return params.Model, nil
}

// gateResults are those that depend on what is delivered alone: that the tests
// passed (their numbers may differ from run to run), and the model's own gates.
func gateResults(r step.Request) ([]delivery.GateResult, error) {
	var results []delivery.GateResult
	for _, name := range step.NamesOf(r.Inputs, step.Test) {
		results = append(results, delivery.GateResult{Gate: name, Verdict: delivery.Passed})
	}
	if scan, ok, err := step.OutputOf[step.ScanOutput](r.Inputs, step.Scan); err != nil {
		return nil, err
	} else if ok {
		results = append(results, delivery.GateResult{Gate: string(step.Scan), Verdict: scan.Verdict})
	}
	for _, name := range step.NamesOf(r.Inputs, step.Evaluate) {
		e, _, err := step.DecodeOutput[step.EvaluateOutput](r.Inputs, name)
		if err != nil {
			return nil, err
		}
		results = append(results, e.GateResults...)
	}
	return results, nil
}
