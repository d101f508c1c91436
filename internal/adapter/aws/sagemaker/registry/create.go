package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

const (
	// lineageElsewhere begins a GeneratedBy that says where the lineage is, since it is
	// too long: URI and digest follow.
	lineageElsewhere = "lineage at "
	// maxProperty is that of the model's MetadataPropertyValue, in characters.
	maxProperty = 1024
	// maxLooks is how often the version is looked for that another process is making.
	maxLooks = 15
)

// add makes the version. The token makes it one, however often and by whomever it is
// made: AWS refuses the second call of another process, whose lineage differs.
func (r *Registry) add(ctx context.Context, c *client, group string, artifact delivery.Digest, metrics delivery.Metrics, lineage delivery.Lineage) (version int, err error) {
	in := &sagemaker.CreateModelPackageInput{
		ModelPackageGroupName: &group, ModelPackageDescription: aws.String(describedPrefix + string(artifact)),
		ModelApprovalStatus: types.ModelApprovalStatusPendingManualApproval, ClientToken: tokenOf("register", group, string(artifact)),
		CustomerMetadataProperties: shownLineage(lineage),
	}
	if in.MetadataProperties, err = r.properties(ctx, c, group, lineage); err != nil {
		return 0, err
	}
	if in.ModelMetrics, err = r.metrics(ctx, c, group, metrics); err != nil {
		return 0, err
	}
	var pin string
	if in.InferenceSpecification, pin, err = r.specification(ctx, c, delivery.ModelRef{Group: group, Digest: artifact}, lineage.Image); err != nil {
		return 0, err
	}
	if pin != "" {
		pinned := map[string]string{keyObject: pin}
		maps.Copy(pinned, in.CustomerMetadataProperties)
		in.CustomerMetadataProperties = pinned
	}
	out, err := sagemakerOf(c).CreateModelPackage(ctx, in)
	switch {
	case err == nil:
		return numberIn(aws.ToString(out.ModelPackageArn))
	case isRefusedImage(err):
		return 0, c.explainImage(ctx, group, lineage.Image, err)
	case !isRaced(err):
		return 0, c.session.Explain(ctx, "register a version of "+group, err)
	}
	for range maxLooks { // lists show it a little later
		found, ok, findErr := c.findDigest(ctx, group, artifact)
		if ok || findErr != nil {
			return found, findErr
		}
		if sleepErr := wait.Sleep(ctx, r.config.Pause); sleepErr != nil {
			return 0, sleepErr
		}
	}
	return 0, fault.New(fault.Unavailable, "register a version of %s: SageMaker refuses it as a duplicate, and does not list the other one", group).Cause(err).
		Hint("run again with `slipway run --resume`").Infrastructure()
}

func (c *client) explainImage(ctx context.Context, group, image string, err error) error {
	return fault.New(fault.Invalid, "register a version of %s: SageMaker does not take the image %s", group, image).Cause(c.session.Explain(ctx, "check the image", err)).
		Hint("SageMaker takes Docker's manifests (schema 2) only, neither those of OCI nor an index: train in an image of that format")
}

var numberPattern = regexp.MustCompile(`:model-package/[^/]+/([0-9]{1,9})$`)

func numberIn(arn string) (int, error) {
	m := numberPattern.FindStringSubmatch(arn)
	if m == nil {
		return 0, fault.New(fault.Unavailable, "SageMaker returned %q as the ARN of a version", arn).Infrastructure()
	}
	return strconv.Atoi(m[1])
}

// isShown reports whether AWS takes the value for a metadata entry: 1 to 256 characters
// of those of shownValue. Source: the model's CustomerMetadataValue. The count is not in
// the pattern, as every start of the program would write these classes out 256 times.
func isShown(value string) bool {
	return utf8.RuneCountInString(value) <= 256 && shownValue.MatchString(value)
}

var shownValue = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$`)

// shownLineage is what the console shows of a version.
func shownLineage(l delivery.Lineage) map[string]string {
	out := map[string]string{}
	for key, value := range map[string]string{keyCommit: l.Commit, keyRun: string(l.Run), keyData: string(l.Data)} {
		if isShown(value) {
			out[key] = value
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// properties hold the lineage, which AWS does not let anyone change there.
func (r *Registry) properties(ctx context.Context, c *client, group string, l delivery.Lineage) (*types.MetadataProperties, error) {
	raw, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("write the lineage of a version of %s: %w", group, err)
	}
	text := string(raw)
	if utf8.RuneCount(raw) > maxProperty || strings.ContainsRune(text, '\u0085') { // it ends a line there
		uri, err := r.storeDocument(ctx, c, group, "lineage", raw)
		if err != nil {
			return nil, err
		}
		text = lineageElsewhere + uri + " " + string(delivery.DigestOf(raw))
	}
	p := &types.MetadataProperties{GeneratedBy: &text}
	if l.Commit != "" && len(l.Commit) <= maxProperty {
		p.CommitId = &l.Commit
	}
	return p, nil
}

func (r *Registry) metrics(ctx context.Context, c *client, group string, metrics delivery.Metrics) (*types.ModelMetrics, error) {
	if metrics == nil {
		return nil, nil //nolint:nilnil // there are none
	}
	raw, err := json.Marshal(metrics)
	if err != nil {
		return nil, fault.New(fault.Invalid, "register a version of %s: its metrics are not JSON", group).Cause(err)
	}
	uri, err := r.storeDocument(ctx, c, group, "metrics", raw)
	if err != nil {
		return nil, err
	}
	return &types.ModelMetrics{ModelQuality: &types.ModelQuality{Statistics: &types.MetricsSource{
		ContentType: aws.String("application/json"), S3Uri: &uri, ContentDigest: aws.String(string(delivery.DigestOf(raw))),
	}}}, nil
}

// storeDocument puts JSON under its digest, and returns its URI.
func (r *Registry) storeDocument(ctx context.Context, c *client, group, kind string, raw []byte) (string, error) {
	if len(raw) > maxDocument {
		return "", fault.New(fault.Invalid, "register a version of %s: its %s have %d bytes, and at most %d are kept", group, kind, len(raw), maxDocument).
			Hint("write fewer of them; lists of values belong into the model's files")
	}
	uri := fmt.Sprintf("%s/%s/%s/%s.json", r.config.Storage, group, kind, delivery.DigestOf(raw).Hex())
	return uri, c.objects.put(ctx, uri, bytes.NewReader(raw), int64(len(raw)))
}

// ecrImage is an image of ECR by its digest: SageMaker pulls from no other registry.
var ecrImage = regexp.MustCompile(`^[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[^\s@]+@(sha256:[0-9a-f]{64})$`)

// specification names the archive of the files, and the image that the model was trained
// in. pin names the object of the archive.
func (r *Registry) specification(ctx context.Context, c *client, ref delivery.ModelRef, image string) (spec *types.InferenceSpecification, pin string, err error) {
	var container types.ModelPackageContainerDefinition
	if m := ecrImage.FindStringSubmatch(image); m != nil && len(image) <= 255 {
		container.Image, container.ImageDigest = &image, &m[2]
	}
	uri, pin, err := r.storeArchive(ctx, c, ref)
	if err != nil {
		return nil, "", err
	}
	if uri != "" {
		container.ModelDataUrl = &uri
	}
	if container.Image == nil && container.ModelDataUrl == nil {
		return nil, "", nil // there is nothing to name
	}
	return &types.InferenceSpecification{Containers: []types.ModelPackageContainerDefinition{container}}, pin, nil
}
