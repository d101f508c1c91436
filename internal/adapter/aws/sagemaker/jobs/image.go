package jobs

import (
	"context"
	"errors"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ecrImage is an image of ECR: account, region, repository, and a tag or a digest.
var ecrImage = regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^\s@:]+)(?::([^\s@:]+))?(?:@(sha256:[0-9a-f]{64}))?$`)

// dockerManifest is the only kind of image that SageMaker takes. Source: what it answers
// for others, https://github.com/aws/amazon-sagemaker-feedback/issues/180.
const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"

// checkImage refuses an image of the account that SageMaker would not take, before
// anything is stored, made or paid for. Images of other accounts, such as AWS's own, and
// one that may not be looked at are left to SageMaker.
func (j *Jobs) checkImage(ctx context.Context, c *connection, h port.JobHandle) error {
	image := j.section.Image
	m := ecrImage.FindStringSubmatch(image)
	if m == nil || m[1] != j.section.AWS.Account || m[2] != c.session.Config.Region {
		return nil
	}
	id := types.ImageIdentifier{ImageTag: optional(m[4])}
	switch {
	case m[5] != "":
		id = types.ImageIdentifier{ImageDigest: &m[5]}
	case m[4] == "":
		id.ImageTag = aws.String("latest")
	}
	out, err := ecr.NewFromConfig(c.session.Config).DescribeImages(ctx, &ecr.DescribeImagesInput{RegistryId: &m[1], RepositoryName: &m[3], ImageIds: []types.ImageIdentifier{id}})
	absent, noRepository := (*types.ImageNotFoundException)(nil), (*types.RepositoryNotFoundException)(nil)
	if errors.As(err, &absent) || errors.As(err, &noRepository) {
		return fault.New(fault.NotFound, "the image %s is not in ECR", image).Hint("push it, or correct on.sagemaker.image")
	}
	if err := c.session.Explain(ctx, "look for the image "+image, err); fault.Is(err, fault.Denied) {
		j.local(h).log.note("%v: whether SageMaker takes its format is not known", err)
		return nil
	} else if err != nil {
		return err
	}
	for _, found := range out.ImageDetails {
		if form := aws.ToString(found.ImageManifestMediaType); form != "" && form != dockerManifest {
			return fault.New(fault.Invalid, "SageMaker does not take the image %s: it is %s", image, form).
				Hint("SageMaker takes Docker's manifests (schema 2) only, neither those of OCI nor an index: docker buildx build --platform linux/amd64 --provenance=false --output type=image,oci-mediatypes=false,push=true --tag %s .", image)
		}
	}
	return nil
}
