package awstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// iamPolicy is a managed policy.
type iamPolicy struct {
	arn, id, description string
	created, updated     time.Time
	versions             []policyVersion // oldest first
	standard             string          // the version that counts
	last                 int             // number of the newest version ever made
}

type policyVersion struct {
	id, document string
	created      time.Time
}

func (p *iamPolicy) document() string {
	i := slices.IndexFunc(p.versions, func(v policyVersion) bool { return v.id == p.standard })
	return p.versions[i].document
}

// policyName is the name in a policy's ARN, and policyPath what is before it.
func policyName(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

func policyPath(arn string) string {
	_, rest, _ := strings.Cut(arn, ":policy")
	return strings.TrimSuffix(rest, policyName(arn))
}

func (c *Cloud) iamPolicies() map[string]handler {
	return map[string]handler{
		"CreatePolicy":            c.createPolicy,
		"GetPolicy":               c.getPolicy,
		"ListPolicies":            c.listPolicies,
		"DeletePolicy":            c.deletePolicy,
		"CreatePolicyVersion":     c.createPolicyVersion,
		"GetPolicyVersion":        c.getPolicyVersion,
		"ListPolicyVersions":      c.listPolicyVersions,
		"DeletePolicyVersion":     c.deletePolicyVersion,
		"SetDefaultPolicyVersion": c.setDefaultPolicyVersion,
		"TagPolicy":               onARN(c.policyARN(true), c.addTagsOf),
		"UntagPolicy":             onARN(c.policyARN(true), c.dropTagsOf),
		"ListPolicyTags":          onARN(c.policyARN(false), c.pageOfTags),
	}
}

// AddManagedPolicy makes a policy that is there already, such as one of AWS's own
// ("arn:aws:iam::aws:policy/NAME").
func (c *Cloud) AddManagedPolicy(arn, document string) error {
	if _, err := ParsePolicy(document); err != nil {
		return fmt.Errorf("%s: %w", arn, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addPolicy(arn, document)
	return nil
}

func (c *Cloud) addPolicy(arn, document string) *iamPolicy {
	p := &iamPolicy{arn: arn, id: c.iamID("ANPA"), created: c.clock(), standard: "v1"}
	p.add(document, p.created)
	c.iam.policies[arn] = p
	return p
}

func (p *iamPolicy) add(document string, now time.Time) policyVersion {
	p.last++
	v := policyVersion{fmt.Sprintf("v%d", p.last), document, now}
	p.versions, p.updated = append(p.versions, v), now
	return v
}

func (c *Cloud) createPolicy(call *Call) (any, error) {
	in := struct {
		PolicyName, Path, PolicyDocument, Description string
		Tags                                          []tag
	}{Path: "/"}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	for arn := range c.iam.policies {
		if strings.HasPrefix(arn, c.iamARN("")) && strings.EqualFold(policyName(arn), in.PolicyName) {
			return nil, refuse("EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed.", in.PolicyName)
		}
	}
	if err := checkManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	arn := c.iamARN("policy" + in.Path + in.PolicyName)
	if err := c.addTags(arn, in.Tags); err != nil {
		return nil, err
	}
	p := c.addPolicy(arn, in.PolicyDocument)
	p.description = in.Description
	return map[string]any{"Policy": c.describePolicy(p)}, nil
}

func checkManaged(document string) error {
	if err := checkRights(document); err != nil {
		return err
	}
	if length(document) > maxPolicy {
		return refuse("LimitExceeded", "Cannot exceed quota for PolicySize: %d", maxPolicy)
	}
	return nil
}

// users counts the roles that a policy is attached to, and those that it bounds.
func (c *Cloud) users(arn string) (attached, bounded int) {
	for _, r := range c.iam.roles {
		if slices.Contains(r.attached, arn) {
			attached++
		}
		if r.boundary == arn {
			bounded++
		}
	}
	return attached, bounded
}

func (c *Cloud) describePolicy(p *iamPolicy) map[string]any {
	attached, bounded := c.users(p.arn)
	d := map[string]any{
		"Arn": p.arn, "PolicyName": policyName(p.arn), "PolicyId": p.id, "Path": policyPath(p.arn), "DefaultVersionId": p.standard,
		"AttachmentCount": attached, "PermissionsBoundaryUsageCount": bounded, "IsAttachable": true, "CreateDate": at(p.created), "UpdateDate": at(p.updated),
	}
	if p.description != "" {
		d["Description"] = p.description
	}
	if tags := c.tagList(p.arn); len(tags) > 0 {
		d["Tags"] = tags
	}
	return d
}

// policyOf returns the policy of the input; changed: AWS's own are not the account's.
func (c *Cloud) policyOf(call *Call, changed bool) (*iamPolicy, error) {
	arn := call.text("PolicyArn")
	p := c.iam.policies[arn]
	switch {
	case p == nil:
		return nil, noSuchEntity("Policy %s was not found.", arn)
	case changed && strings.HasPrefix(arn, "arn:aws:iam::aws:"):
		return nil, &Error{Code: "AccessDenied", Message: "Policy is outside your own account.", Status: 403}
	}
	return p, nil
}

func (c *Cloud) getPolicy(call *Call) (any, error) {
	p, err := c.policyOf(call, false)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Policy": c.describePolicy(p)}, nil
}

// listPolicies leaves tags and descriptions out, as IAM does.
func (c *Cloud) listPolicies(call *Call) (any, error) {
	all := []map[string]any{}
	for _, arn := range slices.Sorted(maps.Keys(c.iam.policies)) {
		own := !strings.HasPrefix(arn, "arn:aws:iam::aws:")
		if scope := call.text("Scope"); scope == "Local" && !own || scope == "AWS" && own {
			continue
		}
		d := c.describePolicy(c.iam.policies[arn])
		delete(d, "Tags")
		delete(d, "Description")
		all = append(all, d)
	}
	return iamPage(c, call, "Policies", all)
}

func (c *Cloud) deletePolicy(call *Call) (any, error) {
	p, err := c.policyOf(call, true)
	if err != nil {
		return nil, err
	}
	switch attached, bounded := c.users(p.arn); {
	case attached+bounded > 0:
		return nil, refuse("DeleteConflict", "Cannot delete a policy attached to entities.")
	case len(p.versions) > 1:
		return nil, refuse("DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	}
	delete(c.iam.policies, p.arn)
	delete(c.tags, p.arn)
	return map[string]any{}, nil
}

// policyARN finds the policy of the input, which has to be the account's unless it is only
// read.
func (c *Cloud) policyARN(own bool) func(*Call) (string, error) {
	return func(call *Call) (string, error) {
		p, err := c.policyOf(call, own)
		if err != nil {
			return "", err
		}
		return p.arn, nil
	}
}
