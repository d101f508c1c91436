package resources

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/port"
)

// policy looks after managed policies of the account.
type policy struct{ *Account }

var _ port.Account = policy{}

// Read implements port.Account.
func (p policy) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	known, err := p.details(ctx)
	if err != nil {
		return nil, err
	}
	d, ok := known.policies[want.ARN]
	if !ok {
		return nil, nil //nolint:nilnil // nil means that it does not exist
	}
	o, err := p.observe(ctx, d)
	if o == nil || err != nil {
		return nil, err
	}
	if w, ok := want.Spec.(account.Policy); ok { // a description can't be changed: one of others is no drift
		live, _ := o.Spec.(account.LivePolicy)
		live.Description = w.Description
		o.Spec = live
	}
	return o, nil
}

func (p policy) observe(ctx context.Context, d policyDetail) (*account.Observed, error) {
	var out struct {
		Policy struct {
			Description string
			Tags        []tag `xml:"Tags>member"`
		}
	}
	code, err := p.iam(ctx, "read the policy "+d.PolicyName, "GetPolicy", form("PolicyArn", d.Arn), &out, iamMissing)
	if err != nil || code != "" {
		return nil, err
	}
	spec := account.LivePolicy{Description: out.Policy.Description}
	for _, v := range d.Versions {
		if !v.IsDefaultVersion {
			continue
		}
		if spec.Document, err = document(v.Document); err != nil {
			return nil, err
		}
	}
	return &account.Observed{
		Resource: account.Resource{Kind: account.KindPolicy, Name: d.PolicyName, ARN: d.Arn, Spec: spec},
		Tags:     tagMap(out.Policy.Tags),
	}, nil
}

// Create implements port.Account.
func (p policy) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.Policy](want)
	if err != nil {
		return err
	}
	text, err := policyText(spec.Document)
	if err != nil {
		return err
	}
	defer p.forget()
	in := withTags(form("PolicyName", want.Name, "Path", pathOf(want.ARN), "Description", spec.Description, "PolicyDocument", text), tags)
	exists, err := p.iam(ctx, "make the "+want.Title(), "CreatePolicy", in, nil, iamExists)
	if err != nil || exists == "" {
		return err
	}
	p.forget()
	return create(ctx, p, want, tags)
}

// maxVersions is how many versions of a policy IAM keeps. Source: "IAM and STS quotas".
const maxVersions = 5

// Update implements port.Account. A policy's description can't be changed.
func (p policy) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.Policy](want)
	if err != nil {
		return err
	}
	text, err := policyText(spec.Document)
	if err != nil {
		return err
	}
	known, err := p.details(ctx)
	if err != nil {
		return err
	}
	defer p.forget()
	action, have := "change the "+want.Title(), known.policies[want.ARN]
	steps := []func() error{func() error {
		_, err := p.iam(ctx, action, "TagPolicy", withTags(form("PolicyArn", want.ARN), tags), nil)
		return err
	}}
	if !saysTheSame(spec, have) {
		steps = append(steps, func() error { return p.makeRoom(ctx, action, have) }, func() error {
			_, err := p.iam(ctx, action, "CreatePolicyVersion", form("PolicyArn", want.ARN, "PolicyDocument", text, "SetAsDefault", "true"), nil)
			return err
		})
	}
	return all(steps...)
}

// saysTheSame keeps versions from being made for nothing.
func saysTheSame(spec account.Policy, have policyDetail) bool {
	for _, v := range have.Versions {
		text, err := document(v.Document)
		if !v.IsDefaultVersion || err != nil || !json.Valid(text) {
			continue
		}
		found, err := account.Diff(account.Policy{Document: spec.Document}, account.LivePolicy{Document: text})
		return err == nil && len(found) == 0
	}
	return false
}

// makeRoom deletes the oldest version where there are as many as IAM keeps.
func (p policy) makeRoom(ctx context.Context, action string, have policyDetail) error {
	old := slices.DeleteFunc(slices.Clone(have.Versions), func(v policyVersion) bool { return v.IsDefaultVersion })
	if len(have.Versions) < maxVersions || len(old) == 0 {
		return nil
	}
	oldest := slices.MinFunc(old, func(a, b policyVersion) int { return a.CreateDate.Compare(b.CreateDate) })
	return p.deleteVersion(ctx, action, have.Arn, oldest.VersionId)
}

func (p policy) deleteVersion(ctx context.Context, action, arn, version string) error {
	_, err := p.iam(ctx, action, "DeletePolicyVersion", form("PolicyArn", arn, "VersionId", version), nil, iamMissing)
	return err
}

// Delete implements port.Account. A policy with several versions, or one that is
// attached to something, can't be deleted.
func (p policy) Delete(ctx context.Context, r account.Resource) error {
	known, err := p.details(ctx)
	if err != nil {
		return err
	}
	have, ok := known.policies[r.ARN]
	if !ok {
		return nil
	}
	defer p.forget()
	action := "delete the " + r.Title()
	var steps []func() error
	for _, v := range have.Versions {
		if !v.IsDefaultVersion {
			steps = append(steps, func() error { return p.deleteVersion(ctx, action, r.ARN, v.VersionId) })
		}
	}
	return all(append(steps, func() error {
		_, err := p.iam(ctx, action, "DeletePolicy", form("PolicyArn", r.ARN), nil, iamMissing)
		return err
	})...)
}

// Owned implements port.Account.
func (p policy) Owned(ctx context.Context, of account.Set) (found []account.Observed, err error) {
	known, err := p.details(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range known.policies {
		o, err := p.observe(ctx, d)
		if err != nil {
			return nil, err
		}
		if o == nil || o.Owner() != of.Project {
			continue
		}
		for name, r := range known.byName {
			uses := r.PermissionsBoundary.PermissionsBoundaryArn == d.Arn || slices.ContainsFunc(r.Attached, func(a attachedPolicy) bool { return a.PolicyArn == d.Arn })
			if uses && tagMap(r.Tags)[account.TagProject] != of.Project {
				o.Users = append(o.Users, "the role "+name)
			}
		}
		slices.Sort(o.Users)
		found = append(found, *o)
	}
	return found, nil
}
