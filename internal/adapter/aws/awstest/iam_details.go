package awstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// detailLists are the lists of GetAccountAuthorizationDetails, by the filter that asks
// for each.
var detailLists = map[string]string{"User": "UserDetailList", "Role": "RoleDetailList", "LocalManagedPolicy": "Policies", "AWSManagedPolicy": "Policies"}

// detail is an entry of one of them.
type detail struct {
	list  string
	entry map[string]any
}

// getAccountAuthorizationDetails returns all of IAM but providers, in pages across its
// lists. Of AWS's own policies it has those that are in use, and tags of roles only.
func (c *Cloud) getAccountAuthorizationDetails(call *Call) (any, error) {
	var in struct{ Filter []string }
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	var all []detail
	for _, kind := range []string{"User", "Role", "LocalManagedPolicy", "AWSManagedPolicy"} {
		if len(in.Filter) == 0 || slices.Contains(in.Filter, kind) {
			for _, entry := range c.details(kind) {
				all = append(all, detail{detailLists[kind], entry})
			}
		}
	}
	out, err := iamPage(c, call, "", all)
	if err != nil {
		return nil, err
	}
	page, _ := out[""].([]detail)
	delete(out, "")
	for _, name := range []string{"UserDetailList", "RoleDetailList", "Policies", "GroupDetailList"} {
		entries := []map[string]any{}
		for _, d := range page {
			if d.list == name {
				entries = append(entries, d.entry)
			}
		}
		out[name] = entries
	}
	return out, nil
}

func (c *Cloud) details(kind string) (all []map[string]any) {
	switch kind {
	case "User":
		return c.userDetails()
	case "Role":
		for _, name := range slices.Sorted(maps.Keys(c.iam.roles)) {
			all = append(all, c.roleDetail(c.iam.roles[name]))
		}
		return all
	}
	for _, arn := range slices.Sorted(maps.Keys(c.iam.policies)) {
		own := !strings.HasPrefix(arn, "arn:aws:iam::aws:")
		attached, bounded := c.users(arn)
		if kind == "LocalManagedPolicy" && own || kind == "AWSManagedPolicy" && !own && attached+bounded > 0 {
			all = append(all, c.policyDetail(c.iam.policies[arn]))
		}
	}
	return all
}

func (c *Cloud) roleDetail(r *iamRole) map[string]any {
	d := c.describeRole(r)
	delete(d, "Description")
	delete(d, "MaxSessionDuration")
	d["AttachedManagedPolicies"], d["RolePolicyList"], d["InstanceProfileList"] = attachedOf(r), inlineList(r.inline), []any{}
	return d
}

func inlineList(documents map[string]string) []map[string]string {
	all := []map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		all = append(all, map[string]string{"PolicyName": name, "PolicyDocument": quoted(documents[name])})
	}
	return all
}

func (c *Cloud) policyDetail(p *iamPolicy) map[string]any {
	d := c.describePolicy(p)
	delete(d, "Tags")
	versions := []map[string]any{}
	for _, v := range slices.Backward(p.versions) {
		versions = append(versions, p.describeVersion(v, true))
	}
	d["PolicyVersionList"] = versions
	return d
}

// userDetails are the users with their inline policies: see SetPolicies.
func (c *Cloud) userDetails() (all []map[string]any) {
	names := map[string]bool{}
	for _, p := range c.principals {
		if _, name, ok := strings.Cut(p.ARN, ":user/"); ok {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		inline := map[string]string{}
		for i, text := range c.identities["user/"+name].texts.Policies {
			inline[fmt.Sprintf("policy-%02d", i+1)] = text
		}
		all = append(all, map[string]any{
			"UserName": name, "Arn": c.iamARN("user/" + name), "Path": "/", "UserId": "AIDA" + fmt.Sprintf("%017x", name)[:17],
			"UserPolicyList": inlineList(inline), "AttachedManagedPolicies": []any{}, "GroupList": []any{},
		})
	}
	return all
}
