package resources

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/port"
)

// role looks after roles of IAM.
type role struct{ *Account }

var (
	_ port.Account      = role{}
	_ port.AccountRoles = role{}
)

// Read implements port.Account.
func (p role) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	known, err := p.details(ctx)
	if err != nil {
		return nil, err
	}
	d, ok := known.byName[want.Name]
	if !ok {
		return nil, nil //nolint:nilnil // nil means that it does not exist
	}
	o, err := p.observe(ctx, d)
	if err != nil || o == nil {
		return nil, err
	}
	o.Environment, o.Why = want.Environment, want.Why
	return o, nil
}

// observe reads what the list of roles leaves out, too.
func (p role) observe(ctx context.Context, d roleDetail) (*account.Observed, error) {
	var out struct {
		Role struct {
			Description        string
			MaxSessionDuration int
		}
	}
	code, err := p.iam(ctx, "read the role "+d.RoleName, "GetRole", form("RoleName", d.RoleName), &out, iamMissing)
	if err != nil || code != "" {
		return nil, err
	}
	spec := account.LiveRole{
		Description: out.Role.Description, Boundary: d.PermissionsBoundary.PermissionsBoundaryArn,
		MaxSession: time.Duration(out.Role.MaxSessionDuration) * time.Second,
	}
	if spec.Trust, err = document(d.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	var others []account.Difference
	for _, inline := range d.Inline {
		if inline.PolicyName != account.InlinePolicy {
			others = append(others, account.Difference{Path: "policies", Have: "the inline policy " + inline.PolicyName})
			continue
		}
		if spec.Rights, err = document(inline.PolicyDocument); err != nil {
			return nil, err
		}
	}
	for _, attached := range d.Attached {
		others = append(others, account.Difference{Path: "policies", Have: attached.PolicyArn})
	}
	return &account.Observed{
		Resource: account.Resource{Kind: account.KindRole, Name: d.RoleName, ARN: d.Arn, Spec: spec},
		Tags:     tagMap(d.Tags), Others: others,
	}, nil
}

// Create implements port.Account.
func (p role) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.Role](want)
	if err != nil {
		return err
	}
	trust, err := policyText(spec.Trust)
	if err != nil {
		return err
	}
	defer p.forget()
	return createInSteps(ctx, p, want, tags, func() (string, error) {
		in := withTags(form("RoleName", want.Name, "Path", pathOf(want.ARN), "AssumeRolePolicyDocument", trust, "Description", spec.Description,
			"PermissionsBoundary", spec.Boundary, "MaxSessionDuration", seconds(spec.MaxSession)), tags)
		exists, err := p.iam(ctx, "make the "+want.Title(), "CreateRole", in, nil, iamExists)
		if exists != "" {
			p.forget()
		}
		return exists, err
	}, func() error { return p.putRights(ctx, want, spec.Rights) })
}

func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.Itoa(int(d / time.Second))
}

func (p role) putRights(ctx context.Context, r account.Resource, rights account.Document) error {
	if len(rights.Statements) == 0 {
		_, err := p.iam(ctx, "take its rights from the "+r.Title(), "DeleteRolePolicy", form("RoleName", r.Name, "PolicyName", account.InlinePolicy), nil, iamMissing)
		return err
	}
	text, err := policyText(rights)
	if err != nil {
		return err
	}
	_, err = p.iam(ctx, "give the "+r.Title()+" its rights", "PutRolePolicy", form("RoleName", r.Name, "PolicyName", account.InlinePolicy, "PolicyDocument", text), nil)
	return err
}

// Update implements port.Account. What was attached by others is taken away.
func (p role) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.Role](want)
	if err != nil {
		return err
	}
	known, err := p.details(ctx)
	if err != nil {
		return err
	}
	defer p.forget()
	action, name := "change the "+want.Title(), want.Name
	trust, err := policyText(spec.Trust)
	if err != nil {
		return err
	}
	call := func(operation string, pairs ...string) func() error {
		return func() error {
			_, err := p.iam(ctx, action, operation, form(append([]string{"RoleName", name}, pairs...)...), nil, iamMissing)
			return err
		}
	}
	have := known.byName[name]
	steps := []func() error{
		func() error {
			_, err := p.iam(ctx, action, "TagRole", withTags(form("RoleName", name), tags), nil)
			return err
		},
		call("UpdateAssumeRolePolicy", "PolicyDocument", trust),
		func() error {
			in := form("RoleName", name, "MaxSessionDuration", seconds(spec.MaxSession))
			in.Set("Description", spec.Description) // also an empty one
			_, err := p.iam(ctx, action, "UpdateRole", in, nil)
			return err
		},
		func() error { return p.putRights(ctx, want, spec.Rights) },
	}
	switch {
	case spec.Boundary != "" && spec.Boundary != have.PermissionsBoundary.PermissionsBoundaryArn:
		steps = append(steps, call("PutRolePermissionsBoundary", "PermissionsBoundary", spec.Boundary))
	case spec.Boundary == "" && have.PermissionsBoundary.PermissionsBoundaryArn != "":
		steps = append(steps, call("DeleteRolePermissionsBoundary"))
	}
	if _, ok := tags[account.TagEnvironment]; !ok && slices.ContainsFunc(have.Tags, func(t tag) bool { return t.Key == account.TagEnvironment }) {
		steps = append(steps, call("UntagRole", "TagKeys.member.1", account.TagEnvironment))
	}
	return all(append(steps, p.strip(have, action, call)...)...)
}

// strip takes away the policies that are not the role's one.
func (p role) strip(have roleDetail, action string, call func(operation string, pairs ...string) func() error) (steps []func() error) {
	for _, attached := range have.Attached {
		steps = append(steps, call("DetachRolePolicy", "PolicyArn", attached.PolicyArn))
	}
	for _, inline := range have.Inline {
		if inline.PolicyName != account.InlinePolicy {
			steps = append(steps, call("DeleteRolePolicy", "PolicyName", inline.PolicyName))
		}
	}
	return steps
}

// Delete implements port.Account. A role with policies can't be deleted.
func (p role) Delete(ctx context.Context, r account.Resource) error {
	known, err := p.details(ctx)
	if err != nil {
		return err
	}
	have, ok := known.byName[r.Name]
	if !ok {
		return nil
	}
	defer p.forget()
	action := "delete the " + r.Title()
	call := func(operation string, pairs ...string) func() error {
		return func() error {
			_, err := p.iam(ctx, action, operation, form(append([]string{"RoleName", r.Name}, pairs...)...), nil, iamMissing)
			return err
		}
	}
	steps := append(p.strip(have, action, call), call("DeleteRolePolicy", "PolicyName", account.InlinePolicy), call("DeleteRole"))
	return all(steps...)
}

// Owned implements port.Account.
func (p role) Owned(ctx context.Context, of account.Set) (found []account.Observed, err error) {
	known, err := p.details(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range known.byName {
		if tagMap(d.Tags)[account.TagProject] != of.Project {
			continue
		}
		o, err := p.observe(ctx, d)
		if err != nil {
			return nil, err
		}
		if o != nil {
			found = append(found, *o)
		}
	}
	return found, nil
}
