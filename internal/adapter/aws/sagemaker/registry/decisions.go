package registry

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/textline"
)

// maxDecides is how often a decision is tried again because another one came first.
const maxDecides = 16

// Decide approves or rejects a version. Whoever comes second is told so by SageMaker, reads
// the decision that was first, and starts again.
func (r *Registry) Decide(ctx context.Context, ref delivery.ModelRef, d delivery.ModelDecision) (delivery.ModelVersion, error) {
	if d.Status != delivery.Approved && d.Status != delivery.Rejected {
		return delivery.ModelVersion{}, fault.New(fault.Invalid, "decide on model %s: invalid decision %q", ref, d.Status)
	}
	c, err := r.connect(ctx)
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	for range maxDecides {
		e, err := r.load(ctx, c, ref.Group, ref.Version)
		if err != nil {
			return delivery.ModelVersion{}, err
		}
		switch {
		case ref.Digest != "" && ref.Digest != e.Digest:
			return e.ModelVersion, fault.New(fault.Conflict, "model %s has digest %s, not %s", ref, e.Digest.Short(), ref.Digest.Short())
		case d.Status == e.Status:
			return e.ModelVersion, nil
		case e.unusable != "" && d.Status == delivery.Approved:
			return e.ModelVersion, fault.New(fault.Conflict, "model %s can't be approved: %s", ref, e.unusable).
				Hint("register the model again with a new run")
		case d.Revises != "" && d.Revises != e.Status:
			return e.ModelVersion, fault.New(fault.Conflict, "decide on model %s: it is %s by now", ref, e.Status).
				Hint("look at the decisions with `slipway models show %s`", ref)
		case e.outside != nil && e.unusable == "": // it came first
			err = c.write(ctx, e, *e.outside, nil)
		default:
			next := d
			next.Revises, next.At = e.Status, r.config.Clock().UTC()
			err = c.write(ctx, e, next, &sagemaker.UpdateModelPackageInput{
				ModelApprovalStatus: types.ModelApprovalStatus(d.Status), ApprovalDescription: approvalText(next),
			})
		}
		if err != nil {
			return e.ModelVersion, err
		}
	}
	return delivery.ModelVersion{}, fault.New(fault.Conflict, "decide on model %s: others decided %d times meanwhile", ref, maxDecides).
		Hint("look at the decisions with `slipway models show %s`", ref)
}

// write writes a decision down, with what else is to change in the same call; nil:
// nothing. Another decision of that number that was first is no error: the caller reads
// it.
func (c *client) write(ctx context.Context, e entry, d delivery.ModelDecision, in *sagemaker.UpdateModelPackageInput) error {
	if in == nil {
		in = &sagemaker.UpdateModelPackageInput{}
	}
	number := len(e.decisions) + 1
	in.CustomerMetadataProperties = map[string]string{}
	if err := encodeDecision(in.CustomerMetadataProperties, number, d); err != nil {
		return err
	}
	if err := checkRoom(e, in.CustomerMetadataProperties); err != nil {
		return err
	}
	in.ModelPackageArn, in.ClientToken = &e.arn, tokenOf("decide", e.arn, strconv.Itoa(number))
	_, err := sagemakerOf(c).UpdateModelPackage(ctx, in)
	if isRaced(err) {
		return nil
	}
	return c.session.Explain(ctx, fmt.Sprintf("decide on model %s in SageMaker", e.ModelRef), err)
}

// maxApproval is that of the model's ApprovalDescription, in characters.
const maxApproval = 1024

// approvalText is what the console shows of a decision.
func approvalText(d delivery.ModelDecision) *string {
	text := "by " + d.By.String()
	if d.Why != "" {
		text = d.Why + " (" + text + ")"
	}
	text = textline.Printable(strings.ReplaceAll(text, "\n", " "), maxApproval-3)
	return &text
}

// Decisions returns the decisions on a version, those made in AWS included.
func (r *Registry) Decisions(ctx context.Context, group string, version int) ([]delivery.ModelDecision, error) {
	c, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	e, err := r.load(ctx, c, group, version)
	if err != nil {
		return nil, err
	}
	return e.all(), nil
}
