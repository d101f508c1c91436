package awstest

import (
	"maps"
	"slices"
)

func (c *Cloud) iamRolePolicies() map[string]handler {
	return map[string]handler{
		"PutRolePolicy":                 c.putRolePolicy,
		"GetRolePolicy":                 c.getRolePolicy,
		"DeleteRolePolicy":              c.deleteRolePolicy,
		"ListRolePolicies":              c.listRolePolicies,
		"ListAttachedRolePolicies":      c.listAttachedRolePolicies,
		"AttachRolePolicy":              c.attachRolePolicy,
		"DetachRolePolicy":              c.detachRolePolicy,
		"PutRolePermissionsBoundary":    c.putRolePermissionsBoundary,
		"DeleteRolePermissionsBoundary": c.deleteRolePermissionsBoundary,
	}
}

// Limits of roles. Source: IAM's user guide, "IAM and AWS STS quotas"; whitespace does
// not count.
const (
	maxTrust    = 2048  // characters, by default
	maxInline   = 10240 // characters of all inline policies together
	maxAttached = 10    // policies, by default
	maxPolicy   = 6144  // characters of a managed policy
	maxVersions = 5     // of a managed policy
)

func (c *Cloud) putRolePolicy(call *Call) (any, error) {
	name, text := call.text("PolicyName"), call.text("PolicyDocument")
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err != nil {
		return nil, err
	}
	if err := checkRights(text); err != nil {
		return nil, err
	}
	total := length(text)
	for other, document := range r.inline {
		if other != name {
			total += length(document)
		}
	}
	if total > maxInline {
		return nil, refuse("LimitExceeded", "Maximum policy size of %d bytes exceeded for role %s", maxInline, r.Name)
	}
	r.inline[name], r.limited = text, true
	return map[string]any{}, c.refreshIAM()
}

func (c *Cloud) getRolePolicy(call *Call) (any, error) {
	r, text, err := c.inlineOf(call)
	if err != nil {
		return nil, err
	}
	return map[string]any{"RoleName": r.Name, "PolicyName": call.text("PolicyName"), "PolicyDocument": quoted(text)}, nil
}

func (c *Cloud) inlineOf(call *Call) (*iamRole, string, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err != nil {
		return nil, "", err
	}
	text, ok := r.inline[call.text("PolicyName")]
	if !ok {
		return nil, "", noSuchEntity("The role policy with name %s cannot be found.", call.text("PolicyName"))
	}
	return r, text, nil
}

func (c *Cloud) deleteRolePolicy(call *Call) (any, error) {
	r, _, err := c.inlineOf(call)
	if err != nil {
		return nil, err
	}
	delete(r.inline, call.text("PolicyName"))
	return map[string]any{}, c.refreshIAM()
}

func (c *Cloud) listRolePolicies(call *Call) (any, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err != nil {
		return nil, err
	}
	return iamPage(c, call, "PolicyNames", slices.Sorted(maps.Keys(r.inline)))
}

func (c *Cloud) listAttachedRolePolicies(call *Call) (any, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err != nil {
		return nil, err
	}
	return iamPage(c, call, "AttachedPolicies", attachedOf(r))
}

func attachedOf(r *iamRole) []map[string]string {
	all := []map[string]string{}
	for _, arn := range r.attached {
		all = append(all, map[string]string{"PolicyArn": arn, "PolicyName": policyName(arn)})
	}
	return all
}

func (c *Cloud) attachRolePolicy(call *Call) (any, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err != nil {
		return nil, err
	}
	arn := call.text("PolicyArn")
	switch {
	case c.iam.policies[arn] == nil:
		return nil, noSuchEntity("Policy %s does not exist or is not attachable.", arn)
	case slices.Contains(r.attached, arn):
		return map[string]any{}, nil
	case len(r.attached) >= maxAttached:
		return nil, refuse("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: %d", maxAttached)
	}
	r.attached, r.limited = append(r.attached, arn), true
	return map[string]any{}, c.refreshIAM()
}

func (c *Cloud) detachRolePolicy(call *Call) (any, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err != nil {
		return nil, err
	}
	i := slices.Index(r.attached, call.text("PolicyArn"))
	if i < 0 {
		return nil, noSuchEntity("Policy %s was not found.", call.text("PolicyArn"))
	}
	r.attached = slices.Delete(r.attached, i, i+1)
	return map[string]any{}, c.refreshIAM()
}

// checkBoundary requires that a boundary exists; "" is none.
func (c *Cloud) checkBoundary(arn string) error {
	if arn != "" && c.iam.policies[arn] == nil {
		return noSuchEntity("Scope ARN: %s does not exist or is not attachable.", arn)
	}
	return nil
}

func (c *Cloud) putRolePermissionsBoundary(call *Call) (any, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err == nil {
		err = c.checkBoundary(call.text("PermissionsBoundary"))
	}
	if err != nil {
		return nil, err
	}
	r.boundary, r.limited = call.text("PermissionsBoundary"), true
	return map[string]any{}, c.refreshIAM()
}

func (c *Cloud) deleteRolePermissionsBoundary(call *Call) (any, error) {
	r, err := c.iamRoleNamed(call.text("RoleName"))
	if err != nil {
		return nil, err
	}
	if r.boundary == "" {
		return nil, noSuchEntity("The role with name %s does not have a permissions boundary.", r.Name)
	}
	r.boundary = ""
	return map[string]any{}, c.refreshIAM()
}
