// Package registry implements port.ModelRegistry with SageMaker's Model Registry.
//
// A group is a model package group there, and a version is a model package. What must not
// change is in members that AWS never changes: the artifact's digest is in the
// description, the lineage in MetadataProperties, and ModelMetrics names an object of S3
// by its digest. The decisions are numbered entries of the customer metadata, written in
// the same call as the approval itself and with a client token made of their number, so
// that of two people who decide at once only one succeeds.
package registry

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aws/aws-sdk-go-v2/service/sagemaker"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Config configures a registry.
type Config struct {
	AWS       extension.AWS
	Storage   string             // s3://BUCKET/PREFIX: where metrics and archives are put
	Artifacts port.ArtifactStore // holds the files of what is registered
	Scratch   string             // absolute folder for archives on their way
	Clock     func() time.Time   // nil: time.Now
	Pause     time.Duration      // between looks at a version that is being made; 0: two seconds
	Options   session.Options
}

// Registry is safe for concurrent use, also by several processes.
type Registry struct {
	config Config

	mu     sync.Mutex // never held during a request
	client *client
	groups map[string]string // ARNs by name
}

var _ port.ModelRegistry = (*Registry)(nil)

// client is a connection to SageMaker and S3. It holds no client of the SDK's: a type that
// is reachable from an interface keeps all of its methods in the program, and those of
// SageMaker are 434 operations, 6 MB.
type client struct {
	session *session.Session
	objects *objects
}

// sagemakerOf makes the SDK's client, which costs some microseconds.
func sagemakerOf(c *client) *sagemaker.Client { return sagemaker.NewFromConfig(c.session.Config) }

// New returns a registry. It sends nothing yet.
func New(c Config) *Registry {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Pause == 0 {
		c.Pause = 2 * time.Second
	}
	return &Registry{config: c, groups: map[string]string{}}
}

// connect opens the connection, and refuses credentials of another account.
func (r *Registry) connect(ctx context.Context) (*client, error) {
	r.mu.Lock()
	known := r.client
	r.mu.Unlock()
	if known == nil {
		s, err := session.Open(ctx, r.config.AWS, r.config.Options)
		if err != nil {
			return nil, err
		}
		known = &client{session: s, objects: newObjects(s3.New(s))}
	}
	if err := known.session.Check(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client == nil {
		r.client = known
	}
	return r.client, nil
}

// groupName is what SageMaker takes for the name of a group. Source: the model's
// EntityName.
var groupName = regexp.MustCompile(`^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$`)

// Register adds a version unless the group has one of the same digest.
func (r *Registry) Register(ctx context.Context, group string, artifact delivery.Digest, metrics delivery.Metrics, lineage delivery.Lineage) (delivery.ModelVersion, error) {
	if !groupName.MatchString(group) || !artifact.Valid() {
		return delivery.ModelVersion{}, fault.New(fault.Invalid, "register a model: group %q, artifact %q", group, artifact).
			Hint("SageMaker takes letters, digits and dashes in the name of a group, at most 63")
	}
	c, err := r.connect(ctx)
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	if _, err := r.groupARN(ctx, c, group); fault.Is(err, fault.NotFound) {
		err = r.createGroup(ctx, c, group)
		if err != nil {
			return delivery.ModelVersion{}, err
		}
	} else if err != nil {
		return delivery.ModelVersion{}, err
	}
	version, ok, err := c.findDigest(ctx, group, artifact)
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	if !ok {
		if version, err = r.add(ctx, c, group, artifact, metrics, lineage); err != nil {
			return delivery.ModelVersion{}, err
		}
	}
	e, err := r.settled(ctx, c, group, version)
	return e.ModelVersion, err
}

// settleTime bounds the wait for a new version, which SageMaker may be validating.
const settleTime = 2 * time.Minute

// settled returns a version once SageMaker is done with it, or after settleTime as it is.
func (r *Registry) settled(ctx context.Context, c *client, group string, version int) (entry, error) {
	for end := time.Now().Add(settleTime); ; {
		e, err := r.load(ctx, c, group, version)
		if err != nil || !e.unfinished || !time.Now().Before(end) {
			return e, err
		}
		if err := wait.Sleep(ctx, r.config.Pause); err != nil {
			return e, err
		}
	}
}

// Get returns a version.
func (r *Registry) Get(ctx context.Context, group string, version int) (delivery.ModelVersion, error) {
	c, err := r.connect(ctx)
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	e, err := r.load(ctx, c, group, version)
	return e.ModelVersion, err
}

// load reads a version; one that others made is adopted.
func (r *Registry) load(ctx context.Context, c *client, group string, version int) (entry, error) {
	what := fmt.Sprintf("look up model %s:%d in SageMaker", group, version)
	if !groupName.MatchString(group) || version < 1 {
		return entry{}, fault.New(fault.NotFound, "model %s:%d not found", group, version)
	}
	arn, err := r.groupARN(ctx, c, group)
	if err != nil {
		return entry{}, err
	}
	arn = packageARN(arn, version)
	out, err := sagemakerOf(c).DescribeModelPackage(ctx, &sagemaker.DescribeModelPackageInput{ModelPackageName: &arn})
	if isAbsent(err) {
		return entry{}, fault.New(fault.NotFound, "model %s:%d not found in SageMaker", group, version)
	}
	if err != nil {
		return entry{}, c.session.Explain(ctx, what, err)
	}
	if !isOurs(out) {
		return r.adopt(ctx, c, out)
	}
	return c.newEntry(ctx, out)
}

// packageARN is the ARN of a version, from that of its group.
func packageARN(group string, version int) string {
	return fmt.Sprintf("%s/%d", strings.Replace(group, ":model-package-group/", ":model-package/", 1), version)
}

// groupARN returns the ARN of a group; fault.NotFound without it.
func (r *Registry) groupARN(ctx context.Context, c *client, group string) (string, error) {
	r.mu.Lock()
	known := r.groups[group]
	r.mu.Unlock()
	if known != "" {
		return known, nil
	}
	out, err := sagemakerOf(c).DescribeModelPackageGroup(ctx, &sagemaker.DescribeModelPackageGroupInput{ModelPackageGroupName: &group})
	if isAbsent(err) {
		return "", fault.New(fault.NotFound, "SageMaker has no model package group %s in %s", group, r.config.AWS.Region)
	}
	if err != nil {
		return "", c.session.Explain(ctx, "look up the model package group "+group, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups[group] = aws.ToString(out.ModelPackageGroupArn)
	return r.groups[group], nil
}

// createGroup makes a group that is not there yet.
func (r *Registry) createGroup(ctx context.Context, c *client, group string) error {
	_, err := sagemakerOf(c).CreateModelPackageGroup(ctx, &sagemaker.CreateModelPackageGroupInput{
		ModelPackageGroupName: &group, ModelPackageGroupDescription: aws.String("Models that Slipway registers and deploys."),
	})
	if isExisting(err) { // another process was first
		err = nil
	}
	err = c.session.Explain(ctx, "create the model package group "+group, err)
	if fault.Is(err, fault.Denied) {
		return fault.New(fault.Denied, "the model package group %s does not exist, and may not be created", group).Cause(err).
			Hint("create it: `aws sagemaker create-model-package-group --region %s --model-package-group-name %s`, or add sagemaker:CreateModelPackageGroup to the role", r.config.AWS.Region, group)
	}
	return err
}
