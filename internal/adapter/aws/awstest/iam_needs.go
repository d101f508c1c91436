package awstest

import "strings"

// iamNeeds: each operation needs the action of its name, and tags that are made with
// something an action of their own. Source: the Service Authorization Reference of IAM.
func (c *Cloud) iamNeeds(call *Call) ([]Access, bool) {
	name := call.Operation.Name
	arn, tagging := c.iamResource(call)
	if arn == "" {
		return call.on("*"), true
	}
	keys := c.withTags(map[string][]string{}, call, arn)
	for key, value := range c.tags[arn] {
		keys["iam:ResourceTag/"+key] = []string{value}
	}
	if boundary := c.boundaryOf(call); boundary != "" {
		keys["iam:PermissionsBoundary"] = []string{boundary}
	}
	if policy := call.text("PolicyArn"); policy != "" && call.text("RoleName") != "" {
		keys["iam:PolicyARN"] = []string{policy}
	}
	all := []Access{{Action: "iam:" + name, Resource: arn, Keys: keys}}
	if strings.HasPrefix(name, "Create") && len(requestTags(call)) > 0 {
		all = append(all, Access{Action: "iam:" + tagging, Resource: arn, Keys: c.withTags(map[string][]string{}, call, arn)})
	}
	return all, true
}

// iamResource returns the ARN of what an operation is about, and the action that tags it.
func (c *Cloud) iamResource(call *Call) (arn, tagging string) {
	path := call.text("Path")
	if path == "" {
		path = "/"
	}
	switch role, policy := call.text("RoleName"), call.text("PolicyArn"); {
	case role != "":
		if r := c.iam.roles[role]; r != nil {
			path = r.path
		}
		return c.iamARN("role" + path + role), "TagRole"
	case policy != "":
		return policy, "TagPolicy"
	case call.Operation.Name == "CreatePolicy":
		return c.iamARN("policy" + path + call.text("PolicyName")), "TagPolicy"
	case call.text("OpenIDConnectProviderArn") != "":
		return call.text("OpenIDConnectProviderArn"), "TagOpenIDConnectProvider"
	case call.Operation.Name == "CreateOpenIDConnectProvider":
		return c.iamARN("oidc-provider/" + strings.TrimPrefix(call.text("Url"), "https://")), "TagOpenIDConnectProvider"
	}
	return "", ""
}

// boundaryOf returns the boundary that a call gives to a role, or that its role has.
func (c *Cloud) boundaryOf(call *Call) string {
	if boundary := call.text("PermissionsBoundary"); boundary != "" {
		return boundary
	}
	if r := c.iam.roles[call.text("RoleName")]; r != nil {
		return r.boundary
	}
	return ""
}
