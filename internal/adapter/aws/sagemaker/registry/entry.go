package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// describedPrefix begins the description of a version of ours; the artifact's digest
// follows. Lists show it, and it never changes.
const describedPrefix = "Registered by Slipway. Files: "

// entry is a version with what SageMaker keeps about it.
type entry struct {
	delivery.ModelVersion

	arn        string
	archive    string // URI of the files, if they are one archive
	metadata   map[string]string
	decisions  []delivery.ModelDecision // written down
	outside    *delivery.ModelDecision  // made in AWS, and not written down
	unfinished bool                     // SageMaker is still making it
	unusable   string                   // why it never deploys, whatever its approval says
	stage      *types.ModelLifeCycle
}

// all are the decisions, oldest first.
func (e entry) all() []delivery.ModelDecision {
	all := append([]delivery.ModelDecision{}, e.decisions...)
	if e.outside != nil {
		all = append(all, *e.outside)
	}
	return all
}

func digestIn(description *string) delivery.Digest {
	text, ok := strings.CutPrefix(aws.ToString(description), describedPrefix)
	if d := delivery.Digest(text); ok && d.Valid() {
		return d
	}
	return ""
}

// isOurs reports whether Slipway made the version, or has adopted it.
func isOurs(out *sagemaker.DescribeModelPackageOutput) bool {
	return digestIn(out.ModelPackageDescription) != "" || delivery.Digest(out.CustomerMetadataProperties[keyDigest]).Valid()
}

// newEntry reads a version that is ours.
func (c *client) newEntry(ctx context.Context, out *sagemaker.DescribeModelPackageOutput) (entry, error) {
	e := entry{arn: aws.ToString(out.ModelPackageArn), archive: archiveOf(out), metadata: out.CustomerMetadataProperties, stage: out.ModelLifeCycle}
	e.Group, e.Version, e.CreatedAt = aws.ToString(out.ModelPackageGroupName), int(aws.ToInt32(out.ModelPackageVersion)), aws.ToTime(out.CreationTime).UTC()
	var err error
	if e.Digest = digestIn(out.ModelPackageDescription); e.Digest != "" {
		err = c.readContent(ctx, out, &e)
	} else {
		err = c.readAdopted(ctx, out, &e)
	}
	if err == nil {
		e.decisions, err = decodeDecisions(out.CustomerMetadataProperties)
		if err != nil {
			err = fault.New(fault.Corrupt, "read model %s from SageMaker", e.ModelRef).Cause(err).
				Hint("a person edited the metadata slipway.decision.*: restore it, or register the model again")
		}
	}
	if err != nil {
		return e, err
	}
	e.Status = delivery.PendingApproval
	if n := len(e.decisions); n > 0 {
		e.apply(e.decisions[n-1])
	}
	e.applyOutside(out)
	e.applyState(out)
	return e, nil
}

// readContent reads the metrics and the lineage of a version that Slipway made.
func (c *client) readContent(ctx context.Context, out *sagemaker.DescribeModelPackageOutput, e *entry) error {
	var lineage []byte
	if p := out.MetadataProperties; p != nil {
		lineage = []byte(aws.ToString(p.GeneratedBy))
	}
	if place, ok := strings.CutPrefix(string(lineage), lineageElsewhere); ok {
		uri, digest, _ := strings.Cut(place, " ")
		raw, err := c.objects.readPinned(ctx, uri, delivery.Digest(digest))
		if err != nil {
			return fmt.Errorf("read the lineage of model %s: %w", e.ModelRef, err)
		}
		lineage = raw
	}
	if err := json.Unmarshal(lineage, &e.Lineage); err != nil {
		return fault.New(fault.Corrupt, "read the lineage of model %s from SageMaker", e.ModelRef).Cause(err)
	}
	source := metricsSource(out)
	if source == nil {
		return nil
	}
	raw, err := c.objects.readPinned(ctx, aws.ToString(source.S3Uri), delivery.Digest(aws.ToString(source.ContentDigest)))
	if err != nil {
		return fmt.Errorf("read the metrics of model %s: %w", e.ModelRef, err)
	}
	if err := json.Unmarshal(raw, &e.Metrics); err != nil {
		return fault.New(fault.Corrupt, "read the metrics of model %s from %s", e.ModelRef, aws.ToString(source.S3Uri)).Cause(err)
	}
	return nil
}

func metricsSource(out *sagemaker.DescribeModelPackageOutput) *types.MetricsSource {
	if out.ModelMetrics == nil || out.ModelMetrics.ModelQuality == nil {
		return nil
	}
	return out.ModelMetrics.ModelQuality.Statistics
}

func (e *entry) apply(d delivery.ModelDecision) {
	e.Status, e.DecidedActor, e.DecidedBy, e.DecidedAt, e.Why = d.Status, d.By, d.By.String(), d.At, d.Why
}

// applyOutside takes what a person decided in AWS's console, or by its API: the approval
// that SageMaker shows and that is not the newest one written down.
func (e *entry) applyOutside(out *sagemaker.DescribeModelPackageOutput) {
	said := delivery.ModelStatus(out.ModelApprovalStatus) // the words are SageMaker's
	switch {
	case said == e.Status || said == "" && e.Status == delivery.PendingApproval:
	case said == delivery.Approved || said == delivery.Rejected:
		d := outsideDecision(out, e.Status)
		if n := len(e.decisions); n > 0 && d.Why == *approvalText(e.decisions[n-1]) {
			d.Why = "" // it is still the one of the decision before
		}
		e.outside = &d
		e.apply(*e.outside)
	default: // the approval was taken back
		e.apply(delivery.ModelDecision{Status: delivery.PendingApproval})
	}
}

// outsideDecision is the approval that a version has in AWS, and who gave it.
func outsideDecision(out *sagemaker.DescribeModelPackageOutput, revises delivery.ModelStatus) delivery.ModelDecision {
	return delivery.ModelDecision{
		Status: delivery.ModelStatus(out.ModelApprovalStatus), Revises: revises, By: actorOf(out), Why: aws.ToString(out.ApprovalDescription), At: changedAt(out),
	}
}

// changedAt is when a version was changed last, or else created.
func changedAt(out *sagemaker.DescribeModelPackageOutput) time.Time {
	if at := aws.ToTime(out.LastModifiedTime); !at.IsZero() {
		return at.UTC()
	}
	return aws.ToTime(out.CreationTime).UTC()
}

// actorOf is who changed a version last, or "console" where AWS does not say.
func actorOf(out *sagemaker.DescribeModelPackageOutput) delivery.Actor {
	if out.LastModifiedBy == nil {
		return creatorOf(out)
	}
	return actorIn(out.LastModifiedBy)
}

func creatorOf(out *sagemaker.DescribeModelPackageOutput) delivery.Actor {
	return actorIn(out.CreatedBy)
}

func actorIn(who *types.UserContext) delivery.Actor {
	if who != nil && who.IamIdentity != nil {
		if arn := aws.ToString(who.IamIdentity.Arn); arn != "" {
			account, resource := splitARN(arn)
			return delivery.Actor{Issuer: "aws:" + account, Subject: arn, Name: resource, Means: delivery.MeansRegistry}
		}
	}
	if who != nil && aws.ToString(who.UserProfileName) != "" {
		return delivery.Actor{Name: aws.ToString(who.UserProfileName), Means: delivery.MeansRegistry}
	}
	return delivery.Actor{Name: "console", Means: delivery.MeansRegistry}
}

// splitARN returns the account and the name in arn:aws:iam::ACCOUNT:user/NAME, or that of
// a session: ROLE/SESSION.
func splitARN(arn string) (account, name string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 {
		return "", arn
	}
	_, name, ok := strings.Cut(parts[5], "/")
	if !ok {
		name = parts[5] // root
	}
	return parts[4], name
}

// applyState makes a version that is not complete, or that was only logged, one that
// never deploys.
func (e *entry) applyState(out *sagemaker.DescribeModelPackageOutput) {
	switch status := out.ModelPackageStatus; {
	case status == types.ModelPackageStatusPending || status == types.ModelPackageStatusInProgress:
		e.unfinished, e.unusable = true, "SageMaker is still making it ("+string(status)+")"
		e.Status = delivery.PendingApproval
	case status != types.ModelPackageStatusCompleted: // Failed, Deleting, or one that is new to us
		e.unusable = "it is " + string(status) + " in SageMaker" + failureOf(out)
		e.reject(out)
	case out.ModelPackageRegistrationType == types.ModelPackageRegistrationTypeLogged:
		e.unusable = "it is Logged in SageMaker, not registered"
		e.Status = delivery.PendingApproval
	}
}

// reject is SageMaker's own verdict, which is not written down.
func (e *entry) reject(out *sagemaker.DescribeModelPackageOutput) {
	revises := delivery.PendingApproval
	if n := len(e.decisions); n > 0 {
		revises = e.decisions[n-1].Status
	}
	e.outside = &delivery.ModelDecision{Status: delivery.Rejected, Revises: revises, By: delivery.Actor{Name: "SageMaker", Means: delivery.MeansRegistry}, Why: e.unusable, At: changedAt(out)}
	e.apply(*e.outside)
}

// failureOf are the reasons that SageMaker gives.
func failureOf(out *sagemaker.DescribeModelPackageOutput) string {
	var reasons []string
	if details := out.ModelPackageStatusDetails; details != nil {
		for _, item := range append(details.ValidationStatuses, details.ImageScanStatuses...) {
			if reason := aws.ToString(item.FailureReason); reason != "" {
				reasons = append(reasons, reason)
			}
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	return ": " + strings.Join(reasons, "; ")
}
