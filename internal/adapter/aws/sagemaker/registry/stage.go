package registry

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/textline"
)

var _ port.ModelStager = (*Registry)(nil)

// maxStageText is that of the model's StageDescription, in characters.
const maxStageText = 1024

// SetStage shows the environment in the version's life cycle. SageMaker has one stage for
// a version, so the newest deployment is the one that is seen.
func (r *Registry) SetStage(ctx context.Context, ref delivery.ModelRef, s port.ModelStage) error {
	c, err := r.connect(ctx)
	if err != nil {
		return err
	}
	e, err := r.load(ctx, c, ref.Group, ref.Version)
	if err != nil {
		return err
	}
	if ref.Digest != "" && ref.Digest != e.Digest {
		return fault.New(fault.Conflict, "model %s has digest %s, not %s", ref, e.Digest.Short(), ref.Digest.Short())
	}
	status, ok := stageStatus[s.State]
	if !ok || !groupName.MatchString(string(s.Environment)) {
		return fault.New(fault.Invalid, "show model %s as %s in %s: SageMaker has no such stage", ref, s.State, s.Environment)
	}
	text := "release " + string(s.Release)
	if s.Why != "" {
		text += ": " + s.Why
	}
	want := types.ModelLifeCycle{
		Stage: aws.String(string(s.Environment)), StageStatus: &status, StageDescription: aws.String(textline.Printable(text, maxStageText-3)),
	}
	if e.stage != nil && sameStage(*e.stage, want) {
		return nil
	}
	if e.outside != nil && e.unusable == "" { // what follows hides who decided
		if err := c.write(ctx, e, *e.outside, nil); err != nil {
			return err
		}
	}
	in := &sagemaker.UpdateModelPackageInput{ModelPackageArn: &e.arn, ModelLifeCycle: &want}
	if s.Release != "" {
		in.CustomerMetadataProperties = map[string]string{keyRelease: string(s.Release)}
	}
	_, err = sagemakerOf(c).UpdateModelPackage(ctx, in)
	return c.session.Explain(ctx, fmt.Sprintf("show model %s as %s in %s", ref, status, s.Environment), err)
}

// stageStatus are the words of a deployment's states that SageMaker takes.
var stageStatus = map[delivery.DeploymentState]string{
	delivery.Deploying: "Deploying", delivery.Serving: "Serving", delivery.RolledBack: "RolledBack", delivery.Replaced: "Replaced",
}

func sameStage(a, b types.ModelLifeCycle) bool {
	return aws.ToString(a.Stage) == aws.ToString(b.Stage) && aws.ToString(a.StageStatus) == aws.ToString(b.StageStatus) &&
		aws.ToString(a.StageDescription) == aws.ToString(b.StageDescription)
}
