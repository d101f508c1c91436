package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/scratch"
)

// adopt takes over an approved version that Slipway did not make: its archive is fetched
// once, and its digest is that of the files at first sight. What SageMaker then says of
// it counts for every machine.
func (r *Registry) adopt(ctx context.Context, c *client, out *sagemaker.DescribeModelPackageOutput) (entry, error) {
	ref := delivery.ModelRef{Group: aws.ToString(out.ModelPackageGroupName), Version: int(aws.ToInt32(out.ModelPackageVersion))}
	uri := archiveOf(out)
	if why := obstacle(out, uri); why != "" {
		return entry{}, fault.New(fault.NotFound, "model %s was not registered by Slipway, and is not taken over: %s", ref, why).
			Hint("a version is taken over once it is Completed, Registered and Approved in SageMaker, with its files in one model.tar.gz")
	}
	if r.config.Artifacts == nil {
		return entry{}, fault.New(fault.Internal, "take over model %s: no artifact store found", ref)
	}
	metadata, err := r.fetch(ctx, c, ref, uri)
	if err != nil {
		return entry{}, fmt.Errorf("take over model %s: %w", ref, err)
	}
	if source := metricsSource(out); source != nil {
		if digest, err := c.adoptMetrics(ctx, source); err == nil {
			metadata[keyMetrics] = string(digest)
		} else if !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Exhausted) {
			return entry{}, fmt.Errorf("take over model %s: %w", ref, err)
		}
	}
	if err := encodeDecision(metadata, 1, outsideDecision(out, delivery.PendingApproval)); err != nil { // what follows hides who decided
		return entry{}, err
	}
	_, err = sagemakerOf(c).UpdateModelPackage(ctx, &sagemaker.UpdateModelPackageInput{
		ModelPackageArn: out.ModelPackageArn, CustomerMetadataProperties: metadata, ClientToken: tokenOf("adopt", aws.ToString(out.ModelPackageArn)),
	})
	if err != nil && !isRaced(err) { // another machine that was first found the same files
		return entry{}, c.session.Explain(ctx, fmt.Sprintf("take over model %s", ref), err)
	}
	now, err := sagemakerOf(c).DescribeModelPackage(ctx, &sagemaker.DescribeModelPackageInput{ModelPackageName: out.ModelPackageArn})
	if err != nil {
		return entry{}, c.session.Explain(ctx, fmt.Sprintf("take over model %s", ref), err)
	}
	if !isOurs(now) {
		return entry{}, fault.New(fault.Conflict, "take over model %s: it was changed meanwhile", ref).Hint("try again")
	}
	return c.newEntry(ctx, now)
}

// obstacle is why a version is not taken over; empty: it is.
func obstacle(out *sagemaker.DescribeModelPackageOutput, uri string) string {
	switch {
	case out.ModelPackageRegistrationType == types.ModelPackageRegistrationTypeLogged:
		return "it is Logged, not registered"
	case out.ModelPackageStatus != types.ModelPackageStatusCompleted:
		return "it is " + string(out.ModelPackageStatus) + failureOf(out)
	case out.ModelApprovalStatus != types.ModelApprovalStatusApproved:
		return "it is " + string(out.ModelApprovalStatus)
	case uri == "":
		return "it names no model.tar.gz in S3"
	}
	return ""
}

// archiveOf returns the URI of the version's files, if they are one archive.
func archiveOf(out *sagemaker.DescribeModelPackageOutput) string {
	if out.InferenceSpecification == nil || len(out.InferenceSpecification.Containers) != 1 {
		return ""
	}
	container := out.InferenceSpecification.Containers[0]
	if uri := aws.ToString(container.ModelDataUrl); uri != "" {
		return uri
	}
	if source := container.ModelDataSource; source != nil && source.S3DataSource != nil && source.S3DataSource.CompressionType == types.ModelCompressionTypeGzip {
		return aws.ToString(source.S3DataSource.S3Uri)
	}
	return ""
}

// fetch stores the files of an archive as an artifact, and returns what pins both.
func (r *Registry) fetch(ctx context.Context, c *client, ref delivery.ModelRef, uri string) (map[string]string, error) {
	at, err := s3.Parse(uri)
	if err != nil {
		return nil, err
	}
	tmp, err := scratch.New(r.config.Scratch, "model-", r.config.Clock())
	if err != nil {
		return nil, err
	}
	defer func() { _ = tmp.Close() }()
	dir := tmp.Files()
	archive, err := c.objects.client.Unpack(ctx, at, dir)
	if err != nil {
		return nil, err
	}
	digest, err := r.config.Artifacts.Store(ctx, ref.Group, dir, map[string]string{"org.opencontainers.image.title": ref.Group})
	if err != nil {
		return nil, err
	}
	return map[string]string{
		keyDigest: string(digest), keyArchive: string(archive.SHA256), keyObject: pinOf(archive.Info),
		keyAdopted: r.config.Clock().UTC().Format("2006-01-02T15:04:05Z"),
	}, nil
}

// pinOf names an object's content as S3 does: by its version, or in a bucket without
// versions by its ETag.
func pinOf(i s3.Info) string {
	if i.HasVersion() {
		return "version:" + i.Version
	}
	return "etag:" + strings.Trim(i.ETag, `"`)
}

// adoptMetrics returns the digest of the metrics that a version came with.
func (c *client) adoptMetrics(ctx context.Context, source *types.MetricsSource) (delivery.Digest, error) {
	at, err := s3.Parse(aws.ToString(source.S3Uri))
	if err != nil {
		return "", err
	}
	raw, err := c.objects.client.Read(ctx, at, maxDocument)
	if err != nil {
		return "", err
	}
	var metrics delivery.Metrics
	if err := json.Unmarshal(raw, &metrics); err != nil || metrics == nil {
		return "", fault.New(fault.Invalid, "%s is not a JSON object", at).Cause(err)
	}
	return delivery.DigestOf(raw), nil
}

// readAdopted reads a version that was taken over, and requires its archive to be the one
// that it was.
func (c *client) readAdopted(ctx context.Context, out *sagemaker.DescribeModelPackageOutput, e *entry) error {
	e.Digest = delivery.Digest(e.metadata[keyDigest])
	e.Lineage = delivery.Lineage{AddedBy: creatorOf(out), Why: "taken over from SageMaker"}
	if _, err := c.statPinned(ctx, *e); err != nil {
		return err
	}
	digest := delivery.Digest(e.metadata[keyMetrics])
	source := metricsSource(out)
	if digest == "" || source == nil {
		return nil
	}
	raw, err := c.objects.readPinned(ctx, aws.ToString(source.S3Uri), digest)
	if err != nil {
		return fmt.Errorf("read the metrics of model %s: %w", e.ModelRef, err)
	}
	if err := json.Unmarshal(raw, &e.Metrics); err != nil {
		return fault.New(fault.Corrupt, "read the metrics of model %s", e.ModelRef).Cause(err)
	}
	return nil
}
