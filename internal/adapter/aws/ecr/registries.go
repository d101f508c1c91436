package ecr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Registries are the control planes of AWS's registries: what their data planes do not
// tell. It is safe for concurrent use.
type Registries struct {
	options session.Options
	roles   Roles

	mu   sync.Mutex
	open map[string]*registry // by host
}

// registry is the one of an account in a region.
type registry struct {
	client          *ecr.Client
	session         *session.Session
	account, region string
}

// NewRegistries connects to nothing yet.
func NewRegistries(o session.Options, roles Roles) *Registries {
	return &Registries{options: o, roles: roles, open: map[string]*registry{}}
}

// Manages reports whether the host is one of AWS's registries.
func (r *Registries) Manages(host string) bool { return hostPattern.MatchString(host) }

func (r *Registries) at(ctx context.Context, host string) (*registry, error) {
	m := hostPattern.FindStringSubmatch(host)
	if m == nil {
		return nil, fault.New(fault.Invalid, "%q is not a registry of ECR", host).Hint("set image: {registry: ecr} and aws: {account: ..., region: ...}")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.open[host]; known != nil {
		return known, nil
	}
	s, err := session.Open(ctx, extension.AWS{Account: m[1], Region: m[3], Role: r.roles[host]}, r.options)
	if err != nil {
		return nil, err
	}
	r.open[host] = &registry{client: ecr.NewFromConfig(s.Config), session: s, account: m[1], region: m[3]}
	return r.open[host], nil
}

// CheckRepository requires the repository to exist, or creates it if asked to, with tags
// that stay and a scan of what is pushed. It returns in what an existing one differs from
// that, in words for people.
func (r *Registries) CheckRepository(ctx context.Context, host, path string, create bool) (drift []string, err error) {
	at, err := r.at(ctx, host)
	if err != nil {
		return nil, err
	}
	action := "look for the repository " + host + "/" + path
	out, err := at.client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: &at.account, RepositoryNames: []string{path}})
	if absent := (*types.RepositoryNotFoundException)(nil); errors.As(err, &absent) {
		if create {
			return nil, at.create(ctx, host, path)
		}
		return nil, fault.New(fault.NotFound, "%s: it does not exist", action).
			Hint("create it (aws ecr create-repository --region %s --repository-name %s --image-tag-mutability IMMUTABLE --image-scanning-configuration scanOnPush=true), or set image.create: true", at.region, path)
	}
	if err != nil {
		return at.explainCheck(ctx, action, err)
	}
	for _, repo := range out.Repositories {
		if aws.ToString(repo.RepositoryName) == path {
			return driftOf(repo), nil
		}
	}
	return nil, fault.New(fault.Unavailable, "%s: AWS returned another one", action)
}

// explainCheck lets who may only push go on: the settings are advice.
func (at *registry) explainCheck(ctx context.Context, action string, err error) ([]string, error) {
	var api smithy.APIError
	explained := at.session.Explain(ctx, action, err)
	if errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "AccessDenied") {
		return []string{"its settings are not known: " + fault.HintOf(explained)}, nil
	}
	return nil, explained
}

func (at *registry) create(ctx context.Context, host, path string) error {
	if err := at.session.Check(ctx); err != nil {
		return err
	}
	_, err := at.client.CreateRepository(ctx, &ecr.CreateRepositoryInput{
		RegistryId: &at.account, RepositoryName: &path, ImageTagMutability: types.ImageTagMutabilityImmutable,
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true},
	})
	if exists := (*types.RepositoryAlreadyExistsException)(nil); errors.As(err, &exists) {
		return nil // a response was lost, or another process was faster
	}
	return at.session.Explain(ctx, "create the repository "+host+"/"+path, err)
}

// madeByTemplate is why a repository may have settings that were not chosen.
const madeByTemplate = " (a creation template with CREATE_ON_PUSH may have made it)"

// driftOf returns in what a repository differs from one for releases.
func driftOf(repo types.Repository) (drift []string) {
	switch repo.ImageTagMutability {
	case types.ImageTagMutabilityImmutable, types.ImageTagMutabilityImmutableWithExclusion:
	default:
		drift = append(drift, fmt.Sprintf("its tags can be moved to other images: imageTagMutability is %s, not IMMUTABLE%s", repo.ImageTagMutability, madeByTemplate))
	}
	if repo.ImageScanningConfiguration == nil || !repo.ImageScanningConfiguration.ScanOnPush {
		drift = append(drift, "it does not scan what is pushed: scanOnPush is false, unless a rule of the registry says otherwise"+madeByTemplate)
	}
	return drift
}

// CheckImage requires that the image can be pulled. One that a lifecycle rule deleted is
// fault.NotFound, one that it archived fault.Conflict, with how to restore it.
func (r *Registries) CheckImage(ctx context.Context, host, path string, digest delivery.Digest) error {
	at, err := r.at(ctx, host)
	if err != nil {
		return err
	}
	name := host + "/" + path + "@" + string(digest)
	out, err := at.client.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RegistryId: &at.account, RepositoryName: &path, ImageIds: []types.ImageIdentifier{{ImageDigest: aws.String(string(digest))}},
	})
	absent, noRepository := (*types.ImageNotFoundException)(nil), (*types.RepositoryNotFoundException)(nil)
	if errors.As(err, &absent) || errors.As(err, &noRepository) || err == nil && len(out.ImageDetails) == 0 {
		return fault.New(fault.NotFound, "%s is not in ECR any more", name).
			Hint("a lifecycle rule may have deleted it: let rules match untagged images only (tagStatus: untagged)")
	}
	if err != nil {
		return at.session.Explain(ctx, "look for "+name, err)
	}
	switch status := out.ImageDetails[0].ImageStatus; status {
	case types.ImageStatusActive, "":
		return nil
	case types.ImageStatusActivating:
		return fault.New(fault.Unavailable, "%s is being restored from ECR's archive, and can't be pulled yet", name).
			Hint("it takes up to 20 minutes: run it again then").Infrastructure()
	default:
		return fault.New(fault.Conflict, "%s can't be pulled: ECR has it as %s", name, status).
			Hint("restore it: aws ecr update-image-storage-class --region %s --registry-id %s --repository-name %s --image-id imageDigest=%s --target-storage-class STANDARD (UpdateImageStorageClass); it takes up to 20 minutes", at.region, at.account, path, digest)
	}
}
