package awstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// entry is an access entry of a cluster, with the access policies of its principal.
type entry struct {
	cluster, principal, arn, username, kind string
	groups                                  []string
	created, modified                       time.Time
	roleID                                  string // of the role when the entry was made
	policies                                map[string]accessPolicy
}

type accessPolicy struct {
	scope      map[string]any
	associated time.Time
}

func (c *Cloud) eksEntries() map[string]handler {
	return map[string]handler{
		"CreateAccessEntry": c.createAccessEntry, "DescribeAccessEntry": c.describeAccessEntry, "UpdateAccessEntry": c.updateAccessEntry,
		"DeleteAccessEntry": c.deleteAccessEntry, "ListAccessEntries": c.listAccessEntries,
		"AssociateAccessPolicy": c.associateAccessPolicy, "DisassociateAccessPolicy": c.disassociateAccessPolicy, "ListAssociatedAccessPolicies": c.listAccessPolicies,
	}
}

// DelayEntries makes access entries count d after they were made, as EKS does within a
// minute.
func (c *Cloud) DelayEntries(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entryDelay = d
}

// ClusterGroups returns the groups of Kubernetes that a principal has in a cluster, by its
// access entry. One that was made before its role was made again is dead.
func (c *Cloud) ClusterGroups(cluster string, p Principal) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	arn := p.ARN
	if role := c.iam.roles[p.Role()]; role != nil {
		arn = role.arn(c.Account)
	}
	e := c.entries[cluster+" "+arn]
	if e == nil || c.clock().Before(e.created.Add(c.entryDelay)) || e.roleID != p.roleID {
		return nil, refuse("Unauthorized", "%s has no access entry in the cluster %s that counts", p.ARN, cluster)
	}
	return slices.Clone(e.groups), nil
}

// entryCluster returns the cluster of the input, which has to take access entries.
func (c *Cloud) entryCluster(call *Call) (*Cluster, error) {
	k, err := c.cluster(call.text("clusterName"))
	if err == nil && k.AuthenticationMode == "CONFIG_MAP" {
		return nil, refuse("InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
	}
	return k, err
}

func (c *Cloud) entryOf(call *Call) (*entry, error) {
	if _, err := c.entryCluster(call); err != nil {
		return nil, err
	}
	if e := c.entries[call.text("clusterName")+" "+call.text("principalArn")]; e != nil {
		return e, nil
	}
	return nil, refuse("ResourceNotFoundException", "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.")
}

type entryInput struct {
	ClusterName, PrincipalArn, Type, Username string
	KubernetesGroups                          []string
	Tags                                      map[string]string
}

func (in entryInput) check() error {
	for _, group := range in.KubernetesGroups {
		if strings.HasPrefix(group, "system:") {
			return refuse("InvalidParameterException", "The kubernetes group name %s is invalid, it cannot start with system:", group)
		}
	}
	return nil
}

func (c *Cloud) createAccessEntry(call *Call) (any, error) {
	in := entryInput{Type: "STANDARD"}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	k, err := c.entryCluster(call)
	if err == nil {
		err = in.check()
	}
	role, isRole := c.role(in.PrincipalArn)
	switch key := in.ClusterName + " " + in.PrincipalArn; {
	case err != nil:
		return nil, err
	case c.entries[key] != nil:
		return nil, refuse("ResourceInUseException", "The specified access entry resource is already in use on this cluster.")
	case isRole && c.clock().Before(role.usable) || !isRole && !c.isUser(in.PrincipalArn):
		return nil, refuse("InvalidParameterException", "The specified principalArn is invalid: invalid principal.")
	}
	_, resource, _ := strings.Cut(in.PrincipalArn, c.iamARN(""))
	kind, name := resource[:strings.Index(resource, "/")], resource[strings.LastIndex(resource, "/")+1:]
	e := &entry{
		cluster: k.Name, principal: in.PrincipalArn, groups: in.KubernetesGroups, kind: in.Type, username: in.Username, created: c.clock(), modified: c.clock(), policies: map[string]accessPolicy{},
		arn: c.arn("eks", fmt.Sprintf("access-entry/%s/%s/%s/%s/%s", k.Name, kind, c.Account, name, c.uuid())),
	}
	if isRole {
		e.roleID = role.id
	}
	if e.username == "" {
		e.username = in.PrincipalArn
		if isRole {
			e.username = fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/{{SessionName}}", c.Account, name)
		}
	}
	c.entries[k.Name+" "+in.PrincipalArn] = e
	c.setTags(e.arn, in.Tags)
	return map[string]any{"accessEntry": c.describeEntry(e)}, nil
}

func (c *Cloud) describeEntry(e *entry) map[string]any {
	d := map[string]any{
		"clusterName": e.cluster, "principalArn": e.principal, "accessEntryArn": e.arn, "kubernetesGroups": append([]string{}, e.groups...),
		"createdAt": e.created.UTC(), "modifiedAt": e.modified.UTC(), "username": e.username, "type": e.kind,
	}
	if len(c.tags[e.arn]) > 0 {
		d["tags"] = c.tags[e.arn]
	}
	return d
}

func (c *Cloud) describeAccessEntry(call *Call) (any, error) {
	e, err := c.entryOf(call)
	if err != nil {
		return nil, err
	}
	return map[string]any{"accessEntry": c.describeEntry(e)}, nil
}

func (c *Cloud) updateAccessEntry(call *Call) (any, error) {
	var in entryInput
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	e, err := c.entryOf(call)
	if err == nil {
		err = in.check()
	}
	if err != nil {
		return nil, err
	}
	if call.Input["kubernetesGroups"] != nil {
		e.groups = in.KubernetesGroups
	}
	if in.Username != "" {
		e.username = in.Username
	}
	e.modified = c.clock()
	return map[string]any{"accessEntry": c.describeEntry(e)}, nil
}

func (c *Cloud) deleteAccessEntry(call *Call) (any, error) {
	e, err := c.entryOf(call)
	if err != nil {
		return nil, err
	}
	delete(c.entries, e.cluster+" "+e.principal)
	delete(c.tags, e.arn)
	return map[string]any{}, nil
}

func (c *Cloud) listAccessEntries(call *Call) (any, error) {
	k, err := c.entryCluster(call)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, key := range slices.Sorted(maps.Keys(c.entries)) {
		e := c.entries[key]
		if _, ok := e.policies[call.text("associatedPolicyArn")]; e.cluster == k.Name && (ok || call.text("associatedPolicyArn") == "") {
			names = append(names, e.principal)
		}
	}
	return paged(call, "accessEntries", names)
}

func (c *Cloud) associateAccessPolicy(call *Call) (any, error) {
	e, err := c.entryOf(call)
	if err != nil {
		return nil, err
	}
	arn := call.text("policyArn")
	scope, _ := call.Input["accessScope"].(map[string]any)
	switch {
	case !strings.HasPrefix(arn, "arn:aws:eks::aws:cluster-access-policy/"):
		return nil, refuse("InvalidParameterException", "The policyArn parameter format is not valid")
	case scope["type"] == "namespace" && scope["namespaces"] == nil:
		return nil, refuse("InvalidParameterException", "The namespace scope needs namespaces")
	}
	e.policies[arn] = accessPolicy{scope, c.clock()}
	return map[string]any{"clusterName": e.cluster, "principalArn": e.principal, "associatedAccessPolicy": e.policies[arn].describe(arn)}, nil
}

func (p accessPolicy) describe(arn string) map[string]any {
	return map[string]any{"policyArn": arn, "accessScope": p.scope, "associatedAt": p.associated.UTC(), "modifiedAt": p.associated.UTC()}
}

func (c *Cloud) disassociateAccessPolicy(call *Call) (any, error) {
	e, err := c.entryOf(call)
	if err != nil {
		return nil, err
	}
	delete(e.policies, call.text("policyArn"))
	return map[string]any{}, nil
}

func (c *Cloud) listAccessPolicies(call *Call) (any, error) {
	e, err := c.entryOf(call)
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for _, arn := range slices.Sorted(maps.Keys(e.policies)) {
		all = append(all, e.policies[arn].describe(arn))
	}
	out, err := paged(call, "associatedAccessPolicies", all)
	if err == nil {
		out["clusterName"], out["principalArn"] = e.cluster, e.principal
	}
	return out, err
}
