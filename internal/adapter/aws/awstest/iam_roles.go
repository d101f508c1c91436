package awstest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

func (c *Cloud) iamRoles() map[string]handler {
	return map[string]handler{
		"CreateRole":             c.createRole,
		"GetRole":                c.getRole,
		"ListRoles":              c.listRoles,
		"UpdateRole":             c.updateRole,
		"DeleteRole":             c.deleteRole,
		"UpdateAssumeRolePolicy": c.updateAssumeRolePolicy,
		"TagRole":                onARN(c.roleARN, c.addTagsOf),
		"UntagRole":              onARN(c.roleARN, c.dropTagsOf),
		"ListRoleTags":           onARN(c.roleARN, c.pageOfTags),
	}
}

type createRoleInput struct {
	RoleName, Path, AssumeRolePolicyDocument, Description, PermissionsBoundary string
	MaxSessionDuration                                                         int
	Tags                                                                       []tag
}

func (c *Cloud) createRole(call *Call) (any, error) {
	in := createRoleInput{Path: "/", MaxSessionDuration: 3600}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	for name := range c.iam.roles {
		if strings.EqualFold(name, in.RoleName) {
			return nil, refuse("EntityAlreadyExists", "Role with name %s already exists.", in.RoleName)
		}
	}
	trust, err := c.checkTrust(in.AssumeRolePolicyDocument)
	if err != nil {
		return nil, err
	}
	if err := c.checkBoundary(in.PermissionsBoundary); err != nil {
		return nil, err
	}
	r := c.newRole(in.RoleName)
	r.path, r.description, r.trust, r.boundary, r.limited = in.Path, in.Description, in.AssumeRolePolicyDocument, in.PermissionsBoundary, true
	r.Trust, r.MaxSession, r.usable = &trust, time.Duration(in.MaxSessionDuration)*time.Second, r.created.Add(c.iam.delay)
	if err := c.addTags(r.arn(c.Account), in.Tags); err != nil {
		delete(c.iam.roles, in.RoleName)
		return nil, err
	}
	return map[string]any{"Role": c.describeRole(r)}, c.refreshIAM()
}

// newRole makes a role that trusts nobody, in the account.
func (c *Cloud) newRole(name string) *iamRole {
	now := c.clock()
	r := &iamRole{Role: Role{Name: name, MaxSession: time.Hour}, path: "/", id: c.iamID("AROA"), created: now, usable: now, inline: map[string]string{}}
	c.iam.roles[name] = r
	return r
}

func (c *Cloud) describeRole(r *iamRole) map[string]any {
	d := map[string]any{
		"RoleName": r.Name, "Path": r.path, "RoleId": r.id, "Arn": r.arn(c.Account), "CreateDate": at(r.created),
		"AssumeRolePolicyDocument": quoted(r.trustText(c.Account)), "MaxSessionDuration": int(r.MaxSession.Seconds()),
	}
	if r.description != "" {
		d["Description"] = r.description
	}
	if r.boundary != "" {
		d["PermissionsBoundary"] = boundaryOf(r)
	}
	if tags := c.tagList(r.arn(c.Account)); len(tags) > 0 {
		d["Tags"] = tags
	}
	return d
}

func boundaryOf(r *iamRole) map[string]string {
	return map[string]string{"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": r.boundary}
}

// trustText is the trust policy, written for a role that has none: see AddRole.
func (r *iamRole) trustText(account string) string {
	if r.trust != "" {
		return r.trust
	}
	statements := []any{}
	if len(r.Trusted) > 0 {
		statements = append(statements, map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"AWS": r.Trusted}})
	}
	if w := r.WebIdentity; w != nil {
		statements = append(statements, map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": map[string]any{"Federated": "arn:aws:iam::" + account + ":oidc-provider/" + w.Issuer.URL},
			"Condition": map[string]any{"StringEquals": map[string]any{w.Issuer.URL + ":aud": w.Audience, w.Issuer.URL + ":sub": w.Subjects}},
		})
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // strings only
	}
	return string(text)
}

func (c *Cloud) getRole(call *Call) (any, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"Role": c.describeRole(r)}, nil
}

// listRoles leaves tags and boundaries out, as IAM does.
func (c *Cloud) listRoles(call *Call) (any, error) {
	all := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(c.iam.roles)) {
		if r := c.iam.roles[name]; strings.HasPrefix(r.path, call.text("PathPrefix")) {
			d := c.describeRole(r)
			delete(d, "Tags")
			delete(d, "PermissionsBoundary")
			all = append(all, d)
		}
	}
	return iamPage(c, call, "Roles", all)
}

func (c *Cloud) updateRole(call *Call) (any, error) {
	var in struct {
		RoleName, Description string
		MaxSessionDuration    int
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	r, err := c.iamRoleNamed(in.RoleName)
	if err != nil {
		return nil, err
	}
	if _, ok := call.Input["Description"]; ok {
		r.description = in.Description
	}
	if in.MaxSessionDuration > 0 {
		r.MaxSession = time.Duration(in.MaxSessionDuration) * time.Second
	}
	return map[string]any{}, nil
}

// deleteRole ends the role's sessions, too. Trusts that name it keep its ID, which no role
// will have again.
func (c *Cloud) deleteRole(call *Call) (any, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	switch {
	case err != nil:
		return nil, err
	case len(r.inline) > 0:
		return nil, refuse("DeleteConflict", "Cannot delete entity, must delete policies first.")
	case len(r.attached) > 0:
		return nil, refuse("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	delete(c.iam.roles, r.Name)
	delete(c.identities, "role/"+r.Name)
	delete(c.tags, r.arn(c.Account))
	for _, other := range c.iam.roles {
		orphaned := strings.ReplaceAll(other.trust, `"`+r.arn(c.Account)+`"`, `"`+r.id+`"`)
		if orphaned == other.trust {
			continue
		}
		trust, err := ParsePolicy(orphaned)
		if err != nil {
			return nil, err
		}
		other.trust, other.Trust = orphaned, &trust
	}
	return map[string]any{}, nil
}

func (c *Cloud) updateAssumeRolePolicy(call *Call) (any, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err != nil {
		return nil, err
	}
	trust, err := c.checkTrust(call.text("PolicyDocument"))
	if err != nil {
		return nil, err
	}
	r.trust, r.Trust, r.WebIdentity, r.Trusted = call.text("PolicyDocument"), &trust, nil, nil
	return map[string]any{}, nil
}

// roleARN returns the ARN of the role that the input names, which has to be there.
func (c *Cloud) roleARN(call *Call) (string, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err != nil {
		return "", err
	}
	return r.arn(c.Account), nil
}
