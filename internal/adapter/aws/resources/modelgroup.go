package resources

import (
	"context"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/port"
)

var sagemakerAPI = session.API{Name: "sagemaker", Host: "api.sagemaker", Target: "SageMaker", Version: "1.1"}

// modelGroup looks after model package groups of SageMaker.
type modelGroup struct{ *Account }

var _ port.Account = modelGroup{}

// isMissing reports whether the group does not exist. SageMaker has the same code for
// requests that are wrong.
func isMissing(code string, err error) bool {
	return code == "ResourceNotFound" || code == "ValidationException" && strings.Contains(err.Error(), "does not exist")
}

// Read implements port.Account.
func (p modelGroup) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	var out struct{ ModelPackageGroupArn, ModelPackageGroupDescription string }
	action := "read the " + want.Title()
	code, err := p.json(ctx, action, sagemakerAPI, "DescribeModelPackageGroup", map[string]any{"ModelPackageGroupName": want.Name}, &out)
	if isMissing(code, err) {
		return nil, nil //nolint:nilnil // nil means that it does not exist
	}
	if err != nil {
		return nil, err
	}
	spec := account.ModelGroup{Description: out.ModelPackageGroupDescription}
	if w, ok := want.Spec.(account.ModelGroup); ok {
		spec = w // a description can't be changed: one of others is no drift
	}
	var list struct{ Tags []tag }
	_, err = p.json(ctx, action, sagemakerAPI, "ListTags", map[string]any{"ResourceArn": out.ModelPackageGroupArn}, &list)
	return &account.Observed{
		Resource: account.Resource{Kind: account.KindModelGroup, Name: want.Name, ARN: out.ModelPackageGroupArn, Data: true, Spec: spec},
		Tags:     tagMap(list.Tags),
	}, err
}

// Create implements port.Account.
func (p modelGroup) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.ModelGroup](want)
	if err != nil {
		return err
	}
	in := map[string]any{"ModelPackageGroupName": want.Name, "Tags": tagList(tags)}
	if spec.Description != "" {
		in["ModelPackageGroupDescription"] = spec.Description
	}
	code, err := p.json(ctx, "make the "+want.Title(), sagemakerAPI, "CreateModelPackageGroup", in, nil)
	if err != nil && (code == "ResourceInUse" || code == "ValidationException" && strings.Contains(err.Error(), "already exists")) {
		return create(ctx, p, want, tags)
	}
	return err
}

// Update implements port.Account. SageMaker can't change a group's description.
func (p modelGroup) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	_, err := p.json(ctx, "tag the "+want.Title(), sagemakerAPI, "AddTags", map[string]any{"ResourceArn": want.ARN, "Tags": tagList(tags)}, nil)
	return err
}

// Delete implements port.Account. A group with versions can't be deleted: they go first.
func (p modelGroup) Delete(ctx context.Context, r account.Resource) error {
	action := "delete the " + r.Title()
	in := map[string]any{"ModelPackageGroupName": r.Name, "MaxResults": 100}
	for range maxPages {
		var out struct {
			NextToken               string
			ModelPackageSummaryList []struct{ ModelPackageArn string }
		}
		code, err := p.json(ctx, action, sagemakerAPI, "ListModelPackages", in, &out)
		if isMissing(code, err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, m := range out.ModelPackageSummaryList {
			code, err := p.json(ctx, action, sagemakerAPI, "DeleteModelPackage", map[string]any{"ModelPackageName": m.ModelPackageArn}, nil)
			if err != nil && !isMissing(code, err) {
				return err
			}
		}
		if out.NextToken == "" {
			code, err := p.json(ctx, action, sagemakerAPI, "DeleteModelPackageGroup", map[string]any{"ModelPackageGroupName": r.Name}, nil)
			if isMissing(code, err) {
				return nil
			}
			return err
		}
		in["NextToken"] = out.NextToken
	}
	return errTooManyPages
}

// Owned implements port.Account.
func (p modelGroup) Owned(ctx context.Context, of account.Set) ([]account.Observed, error) {
	return p.ownedByTag(ctx, p, account.KindModelGroup, "sagemaker:model-package-group", ":model-package-group/", of)
}
