package attest

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/provenance"
	"github.com/slipway-cd/slipway/internal/step"
)

// signingPlan lists everything to sign.
type signingPlan struct {
	subjects     []subject
	reproducible delivery.Digest
}

// subject is one artifact, with the statements about it.
type subject struct {
	ref        port.Subject
	statements [][]byte
	existing   bool // the registry had it before this run, from whoever put it there
}

func (s Step) signingPlan(ctx context.Context, r step.Request, w step.AttestParams) (signingPlan, error) {
	image, err := s.imageSubject(r, w)
	if err != nil {
		return signingPlan{}, err
	}
	out := signingPlan{subjects: []subject{image}}
	ref, err := modelOf(r, w)
	if err != nil {
		return out, err
	}
	if ref != nil {
		m, err := s.modelSubject(ctx, r, w, *ref)
		if err != nil {
			return out, err
		}
		out.subjects = append(out.subjects, m)
	}
	if ref != nil && w.PackModel {
		p, err := s.modelImageSubject(ctx, *ref, image.ref.Image.Repository)
		if err != nil {
			return out, err
		}
		out.subjects = append(out.subjects, p)
	}
	out.reproducible, err = reproducibleDigest(out.subjects)
	return out, err
}

// imageSubject has the statements about the image: its signature, provenance and
// SBOMs.
func (s Step) imageSubject(r step.Request, w step.AttestParams) (subject, error) {
	pushed, ok, err := step.OutputOf[step.PushOutput](r.Inputs, step.Push)
	if err != nil {
		return subject{}, err
	}
	if !ok || !pushed.Image.Digest.Valid() {
		return subject{}, fault.New(fault.Internal, "sign the image: the plan has no push step before it")
	}
	made, _, err := step.OutputOf[step.BuildOutput](r.Inputs, step.Build)
	if err != nil {
		return subject{}, err
	}
	out := subject{ref: port.Subject{Image: pushed.Image}, existing: made.Existing}
	p, err := provenance.ImageStatement(provenance.ImageFacts{
		Service: r.Service, Image: pushed.Image, Commit: r.Commit, Parameters: w.Build, BaseImages: made.Bases, RunDetails: s.runDetails(r),
	})
	if err == nil {
		err = s.checkSecrets(out.ref.String(), p)
	}
	if err != nil {
		return out, err
	}
	signed, err := provenance.SignatureStatement(pushed.Image.Digest)
	if err != nil {
		return out, err
	}
	bills, err := imageSBOMs(r, pushed.Image)
	out.statements = append([][]byte{signed, p}, bills...)
	return out, err
}

// modelSubject has those about the model, by its registered version, which stays
// the same whichever run comes across it again.
func (s Step) modelSubject(ctx context.Context, r step.Request, w step.AttestParams, ref delivery.ModelRef) (subject, error) {
	v, err := s.Models.Get(ctx, ref.Group, ref.Version)
	if err != nil {
		return subject{}, fmt.Errorf("read the lineage of model %s: %w", ref, err)
	}
	if v.Digest != ref.Digest {
		return subject{}, fault.New(fault.Corrupt, "model %s is registered with digest %s, but %s is to be signed", ref, v.Digest.Short(), ref.Digest.Short())
	}
	out := subject{ref: port.Subject{Model: ref}}
	p, err := provenance.ModelStatement(provenance.ModelFacts{
		Service: r.Service, Model: ref, Lineage: v.Lineage, Metrics: v.Metrics, Source: r.Commit.Source, Parameters: w.Train, RunDetails: s.runDetails(r),
	})
	if err == nil {
		err = s.checkSecrets(out.ref.String(), p)
	}
	if err != nil {
		return out, err
	}
	signed, err := provenance.SignatureStatement(ref.Digest)
	if err != nil {
		return out, err
	}
	bills, err := modelSBOMs(r, ref)
	out.statements = append([][]byte{signed, p}, bills...)
	return out, err
}

// modelImageSubject has the signature of the image in which pods get the model: a
// cluster's own admission rules are about images. Deploying packs the same one
// again.
func (s Step) modelImageSubject(ctx context.Context, ref delivery.ModelRef, repository string) (subject, error) {
	img, err := step.PackModel(ctx, s.ModelImages, ref, repository)
	if err != nil {
		return subject{}, err
	}
	signed, err := provenance.SignatureStatement(img.Digest)
	return subject{ref: port.Subject{Image: img}, statements: [][]byte{signed}}, err
}

// modelOf returns the model that this run registered, or that the plan pinned.
func modelOf(r step.Request, w step.AttestParams) (*delivery.ModelRef, error) {
	reg, ok, err := step.OutputOf[step.RegisterOutput](r.Inputs, step.Register)
	if err != nil {
		return nil, err
	}
	if ok {
		return &reg.Model, nil
	}
	return w.Model, nil
}

// reproducibleDigest returns what the release pins: see
// provenance.ReproducibleDigest.
func reproducibleDigest(subjects []subject) (delivery.Digest, error) {
	var builds []provenance.BuildDefinition
	for _, s := range subjects {
		for _, raw := range s.statements {
			st, err := provenance.Parse(raw)
			if err != nil {
				return "", err
			}
			if st.PredicateType != provenance.SLSAPredicate {
				continue
			}
			p, err := st.Provenance()
			if err != nil {
				return "", err
			}
			builds = append(builds, p.BuildDefinition)
		}
	}
	if len(builds) == 2 {
		return provenance.ReproducibleDigest(builds[0], &builds[1])
	}
	return provenance.ReproducibleDigest(builds[0], nil)
}
