package awstest

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// association gives the pods of a service account a role.
type association struct {
	ID, ARN, ClusterName, Namespace, ServiceAccount, RoleArn, TargetRoleArn, Policy string
	DisableSessionTags                                                              bool
	Tags                                                                            map[string]string
	created                                                                         time.Time
}

func (c *Cloud) eksPods() map[string]handler {
	return map[string]handler{
		"CreatePodIdentityAssociation": c.createAssociation, "DescribePodIdentityAssociation": c.describeAssociation, "UpdatePodIdentityAssociation": c.updateAssociation,
		"ListPodIdentityAssociations": c.listAssociations, "DeletePodIdentityAssociation": c.deleteAssociation,
	}
}

func (c *Cloud) createAssociation(call *Call) (any, error) {
	var a association
	if err := call.Into(&a); err != nil {
		return nil, err
	}
	if _, err := c.cluster(a.ClusterName); err != nil {
		return nil, err
	}
	for _, other := range c.associations {
		if other.ClusterName == a.ClusterName && other.Namespace == a.Namespace && other.ServiceAccount == a.ServiceAccount {
			return nil, refuse("ResourceInUseException", "Association already exists: %s", other.ID)
		}
	}
	if err := c.podRole(a); err != nil {
		return nil, err
	}
	a.ID, a.created = fmt.Sprintf("a-%017d", c.next()), c.clock()
	a.ARN = c.arn("eks", "podidentityassociation/"+a.ClusterName+"/"+a.ID)
	c.setTags(a.ARN, a.Tags)
	c.associations[a.ID] = &a
	return map[string]any{"association": c.describePods(&a)}, nil
}

// podRole requires that the role exists, and that a policy of the session is one.
func (c *Cloud) podRole(a association) error {
	role, ok := c.role(a.RoleArn)
	switch {
	case !ok || c.clock().Before(role.usable):
		return refuse("InvalidParameterException", "Role provided in the request does not exist.")
	case a.Policy != "" && !a.DisableSessionTags:
		return refuse("InvalidParameterException", "A session policy needs disableSessionTags")
	case a.Policy != "" && checkRights(a.Policy) != nil:
		return refuse("InvalidParameterException", "The session policy is not a valid policy")
	}
	return nil
}

func (c *Cloud) describePods(a *association) map[string]any {
	d := map[string]any{
		"associationId": a.ID, "associationArn": a.ARN, "clusterName": a.ClusterName, "namespace": a.Namespace, "serviceAccount": a.ServiceAccount,
		"roleArn": a.RoleArn, "createdAt": a.created.UTC(), "modifiedAt": a.created.UTC(), "disableSessionTags": a.DisableSessionTags,
	}
	if a.Policy != "" {
		d["policy"] = a.Policy
	}
	if a.TargetRoleArn != "" {
		d["targetRoleArn"] = a.TargetRoleArn
	}
	if len(c.tags[a.ARN]) > 0 {
		d["tags"] = c.tags[a.ARN]
	}
	return d
}

func (c *Cloud) associationOf(call *Call) (*association, error) {
	a := c.associations[call.text("associationId")]
	if a == nil || a.ClusterName != call.text("clusterName") {
		return nil, refuse("ResourceNotFoundException", "Association not found: %s", call.text("associationId"))
	}
	return a, nil
}

func (c *Cloud) describeAssociation(call *Call) (any, error) {
	a, err := c.associationOf(call)
	if err != nil {
		return nil, err
	}
	return map[string]any{"association": c.describePods(a)}, nil
}

func (c *Cloud) updateAssociation(call *Call) (any, error) {
	a, err := c.associationOf(call)
	if err != nil {
		return nil, err
	}
	changed := *a
	if err := call.Into(&changed); err != nil {
		return nil, err
	}
	if err := c.podRole(changed); err != nil {
		return nil, err
	}
	*a = changed
	return map[string]any{"association": c.describePods(a)}, nil
}

func (c *Cloud) listAssociations(call *Call) (any, error) {
	if _, err := c.cluster(call.text("clusterName")); err != nil {
		return nil, err
	}
	is := func(member, value string) bool { return call.text(member) == "" || call.text(member) == value }
	all := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(c.associations)) {
		a := c.associations[id]
		if a.ClusterName == call.text("clusterName") && is("namespace", a.Namespace) && is("serviceAccount", a.ServiceAccount) {
			all = append(all, map[string]any{"associationId": a.ID, "associationArn": a.ARN, "clusterName": a.ClusterName, "namespace": a.Namespace, "serviceAccount": a.ServiceAccount})
		}
	}
	return paged(call, "associations", all)
}

func (c *Cloud) deleteAssociation(call *Call) (any, error) {
	a, err := c.associationOf(call)
	if err != nil {
		return nil, err
	}
	d := c.describePods(a)
	delete(c.associations, a.ID)
	delete(c.tags, a.ARN)
	return map[string]any{"association": d}, nil
}
