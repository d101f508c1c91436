package awstest

import (
	"fmt"
	"maps"
	"slices"
)

// Nodegroup is a managed group of nodes.
type Nodegroup struct {
	Name, AMIType, Role string // such as AL2023_x86_64_STANDARD, and an ARN
	InstanceTypes       []string
}

// FargateProfile runs the pods of namespaces without nodes.
type FargateProfile struct {
	Name, Role string // an ARN
	Namespaces []string
}

func (c *Cloud) eksParts() map[string]handler {
	return map[string]handler{
		"ListAddons": c.listAddons, "DescribeAddon": c.describeAddon,
		"ListNodegroups": c.listNodegroups, "DescribeNodegroup": c.describeNodegroup,
		"ListFargateProfiles": c.listFargateProfiles, "DescribeFargateProfile": c.describeFargateProfile,
		"TagResource": onARN(c.taggedEKS, c.setTagsOf), "UntagResource": onARN(c.taggedEKS, c.dropTagsOf), "ListTagsForResource": onARN(c.taggedEKS, c.mapOfTags),
	}
}

// partARN is that of a part of a cluster, whose last word only EKS knows.
func (c *Cloud) partARN(kind, cluster, name string) string {
	return c.arn("eks", fmt.Sprintf("%s/%s/%s/00000000-0000-4000-8000-0000000000ab", kind, cluster, name))
}

func (c *Cloud) listAddons(call *Call) (any, error) {
	k, err := c.cluster(call.text("clusterName"))
	if err != nil {
		return nil, err
	}
	return paged(call, "addons", slices.Sorted(maps.Keys(k.Addons)))
}

func (c *Cloud) describeAddon(call *Call) (any, error) {
	k, err := c.cluster(call.text("clusterName"))
	if err != nil {
		return nil, err
	}
	name := call.text("addonName")
	version, ok := k.Addons[name]
	if !ok {
		return nil, refuse("ResourceNotFoundException", "No addon: %s found in cluster: %s", name, k.Name)
	}
	return map[string]any{"addon": map[string]any{
		"addonName": name, "clusterName": k.Name, "status": "ACTIVE", "addonVersion": version, "addonArn": c.partARN("addon", k.Name, name), "health": map[string]any{"issues": []any{}},
	}}, nil
}

func (c *Cloud) listNodegroups(call *Call) (any, error) {
	k, err := c.cluster(call.text("clusterName"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range k.Nodegroups {
		names = append(names, n.Name)
	}
	return paged(call, "nodegroups", names)
}

func (c *Cloud) describeNodegroup(call *Call) (any, error) {
	k, err := c.cluster(call.text("clusterName"))
	if err != nil {
		return nil, err
	}
	for _, n := range k.Nodegroups {
		if n.Name == call.text("nodegroupName") {
			return map[string]any{"nodegroup": map[string]any{
				"nodegroupName": n.Name, "nodegroupArn": c.partARN("nodegroup", k.Name, n.Name), "clusterName": k.Name, "status": "ACTIVE",
				"amiType": n.AMIType, "nodeRole": n.Role, "instanceTypes": append([]string{}, n.InstanceTypes...), "version": k.Version,
			}}, nil
		}
	}
	return nil, refuse("ResourceNotFoundException", "No node group found for name: %s.", call.text("nodegroupName"))
}

func (c *Cloud) listFargateProfiles(call *Call) (any, error) {
	k, err := c.cluster(call.text("clusterName"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range k.FargateProfiles {
		names = append(names, p.Name)
	}
	return paged(call, "fargateProfileNames", names)
}

func (c *Cloud) describeFargateProfile(call *Call) (any, error) {
	k, err := c.cluster(call.text("clusterName"))
	if err != nil {
		return nil, err
	}
	for _, p := range k.FargateProfiles {
		if p.Name != call.text("fargateProfileName") {
			continue
		}
		selectors := []map[string]string{}
		for _, namespace := range p.Namespaces {
			selectors = append(selectors, map[string]string{"namespace": namespace})
		}
		return map[string]any{"fargateProfile": map[string]any{
			"fargateProfileName": p.Name, "fargateProfileArn": c.partARN("fargateprofile", k.Name, p.Name), "clusterName": k.Name, "status": "ACTIVE",
			"podExecutionRoleArn": p.Role, "selectors": selectors,
		}}, nil
	}
	return nil, refuse("ResourceNotFoundException", "No Fargate Profile found with name: %s.", call.text("fargateProfileName"))
}

// hasARN reports whether EKS has a resource.
func (c *Cloud) hasARN(arn string) bool {
	for name := range c.clusters {
		if arn == c.arn("eks", "cluster/"+name) {
			return true
		}
	}
	for _, e := range c.entries {
		if e.arn == arn {
			return true
		}
	}
	for _, a := range c.associations {
		if a.ARN == arn {
			return true
		}
	}
	return false
}

func (c *Cloud) taggedEKS(call *Call) (string, error) {
	arn := call.text("resourceArn")
	if !c.hasARN(arn) {
		return "", refuse("NotFoundException", "No resource found for ARN: %s", arn)
	}
	return arn, nil
}
