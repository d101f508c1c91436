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

// order is all that has to be signed.
type order struct {
	subjects []subject
	essence  delivery.Digest
}

// subject is one thing, with the statements about it.
type subject struct {
	of         port.Subject
	statements [][]byte
}

func (s Step) order(ctx context.Context, r step.Request, w step.AttestParams) (order, error) {
	image, err := s.image(r, w)
	if err != nil {
		return order{}, err
	}
	out := order{subjects: []subject{image}}
	ref, err := model(r, w)
	if err != nil {
		return out, err
	}
	if ref != nil {
		m, err := s.model(ctx, r, w, *ref)
		if err != nil {
			return out, err
		}
		out.subjects = append(out.subjects, m)
	}
	if ref != nil && w.PackModel {
		p, err := s.packed(ctx, *ref, image.of.Image.Repository)
		if err != nil {
			return out, err
		}
		out.subjects = append(out.subjects, p)
	}
	out.essence, err = essence(out.subjects)
	return out, err
}

// image says that it is signed, how it was built, and what it is made of.
func (s Step) image(r step.Request, w step.AttestParams) (subject, error) {
	pushed, ok, err := step.OutputOf[step.PushOutput](r.Inputs, step.Push)
	if err != nil {
		return subject{}, err
	}
	if !ok || !pushed.Image.Digest.Valid() {
		return subject{}, fault.New(fault.Internal, "sign the image: no push step ran before it")
	}
	made, _, err := step.OutputOf[step.BuildOutput](r.Inputs, step.Build)
	if err != nil {
		return subject{}, err
	}
	out := subject{of: port.Subject{Image: pushed.Image}}
	p, err := provenance.ImageStatement(provenance.ImageFacts{
		Service: r.Service, Image: pushed.Image, Commit: r.Commit, Parameters: w.Build, BaseImages: made.Bases, RunDetails: s.run(r),
	})
	if err == nil {
		err = s.refuse(out.of.String(), p)
	}
	if err != nil {
		return out, err
	}
	signed, err := provenance.SignatureStatement(pushed.Image.Digest)
	if err != nil {
		return out, err
	}
	bills, err := imageBills(r, pushed.Image)
	out.statements = append([][]byte{signed, p}, bills...)
	return out, err
}

// model says that it is signed, and how it was trained: by its registered
// version, which stays the same whichever run comes upon it again.
func (s Step) model(ctx context.Context, r step.Request, w step.AttestParams, ref delivery.ModelRef) (subject, error) {
	v, err := s.Models.Get(ctx, ref.Group, ref.Version)
	if err != nil {
		return subject{}, fmt.Errorf("read the lineage of model %s: %w", ref, err)
	}
	if v.Digest != ref.Digest {
		return subject{}, fault.New(fault.Corrupt, "model %s is registered as %s, not as the %s that is to be signed", ref, v.Digest.Short(), ref.Digest.Short())
	}
	out := subject{of: port.Subject{Model: ref}}
	p, err := provenance.ModelStatement(provenance.ModelFacts{
		Service: r.Service, Model: ref, Lineage: v.Lineage, Metrics: v.Metrics, Source: r.Commit.Source, Parameters: w.Train, RunDetails: s.run(r),
	})
	if err == nil {
		err = s.refuse(out.of.String(), p)
	}
	if err != nil {
		return out, err
	}
	signed, err := provenance.SignatureStatement(ref.Digest)
	if err != nil {
		return out, err
	}
	bills, err := modelBills(r, ref)
	out.statements = append([][]byte{signed, p}, bills...)
	return out, err
}

// packed says that the image in which the model comes into pods is signed: what a
// cluster admits by its own rules are images. Whoever deploys packs the same again.
func (s Step) packed(ctx context.Context, ref delivery.ModelRef, repository string) (subject, error) {
	img, err := step.PackModel(ctx, s.ModelImages, ref, repository)
	if err != nil {
		return subject{}, err
	}
	signed, err := provenance.SignatureStatement(img.Digest)
	return subject{of: port.Subject{Image: img}, statements: [][]byte{signed}}, err
}

// model is the one that this run registered, or the one that the plan pinned.
func model(r step.Request, w step.AttestParams) (*delivery.ModelRef, error) {
	reg, ok, err := step.OutputOf[step.RegisterOutput](r.Inputs, step.Register)
	if err != nil {
		return nil, err
	}
	if ok {
		return &reg.Model, nil
	}
	return w.Model, nil
}

// essence is what the release pins: see provenance.ReproducibleDigest.
func essence(subjects []subject) (delivery.Digest, error) {
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
