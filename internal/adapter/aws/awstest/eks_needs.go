package awstest

import (
	"fmt"
	"strings"
)

// eksNeeds: parts of a cluster have ARNs of their own, whose last word only EKS knows.
// Giving pods a role needs the right to pass it. Source: the Service Authorization
// Reference of EKS, and its user guide on Pod Identity.
func (c *Cloud) eksNeeds(call *Call) ([]Access, bool) {
	cluster := call.text("clusterName")
	if cluster == "" {
		cluster = call.text("name")
	}
	arn := c.eksResource(call, cluster)
	keys := c.withTags(map[string][]string{}, call, arn)
	name := call.Operation.Name
	all := []Access{{Action: "eks:" + name, Resource: arn, Keys: keys}}
	part := ""
	switch name {
	case "CreateAccessEntry":
		c.entryKeys(call, keys)
		part = c.entryARN(call, cluster)
	case "AssociateAccessPolicy":
		scope, _ := call.Input["accessScope"].(map[string]any)
		keys["eks:policyArn"], keys["eks:accessScope"] = []string{call.text("policyArn")}, []string{fmt.Sprint(scope["type"])}
		if scope["namespaces"] != nil {
			keys["eks:namespaces"] = texts(scope["namespaces"])
		}
	case "CreatePodIdentityAssociation", "UpdatePodIdentityAssociation":
		if role := call.text("roleArn"); role != "" {
			all = append(all, Access{Action: "iam:GetRole", Resource: role}, Access{Action: "iam:PassRole", Resource: role, Keys: map[string][]string{"iam:PassedToService": {"pods.eks.amazonaws.com"}}})
		}
		part = c.arn("eks", "podidentityassociation/"+cluster+"/*")
	}
	if strings.HasPrefix(name, "Create") && len(requestTags(call)) > 0 {
		all = append(all, Access{Action: "eks:TagResource", Resource: part, Keys: c.withTags(map[string][]string{}, call, part)})
	}
	return all, arn != ""
}

func (c *Cloud) entryKeys(call *Call, keys map[string][]string) {
	keys["eks:principalArn"], keys["eks:accessEntryType"] = []string{call.text("principalArn")}, []string{"STANDARD"}
	for key, member := range map[string]string{"eks:kubernetesGroups": "kubernetesGroups", "eks:username": "username", "eks:accessEntryType": "type"} {
		if call.Input[member] != nil {
			keys[key] = texts(call.Input[member])
		}
	}
}

// entryARN is that of an entry, or of one that is to be.
func (c *Cloud) entryARN(call *Call, cluster string) string {
	if e := c.entries[cluster+" "+call.text("principalArn")]; e != nil {
		return e.arn
	}
	_, resource, _ := strings.Cut(call.text("principalArn"), c.iamARN(""))
	kind, name, _ := strings.Cut(resource, "/")
	return c.arn("eks", fmt.Sprintf("access-entry/%s/%s/%s/%s/*", cluster, kind, c.Account, name[strings.LastIndex(name, "/")+1:]))
}

func (c *Cloud) eksResource(call *Call, cluster string) string {
	switch name := call.Operation.Name; {
	case call.text("resourceArn") != "":
		return call.text("resourceArn")
	case cluster == "":
		return ""
	case call.text("associationId") != "":
		return c.arn("eks", "podidentityassociation/"+cluster+"/"+call.text("associationId"))
	case call.text("addonName") != "":
		return c.partARN("addon", cluster, call.text("addonName"))
	case call.text("nodegroupName") != "":
		return c.partARN("nodegroup", cluster, call.text("nodegroupName"))
	case call.text("fargateProfileName") != "":
		return c.partARN("fargateprofile", cluster, call.text("fargateProfileName"))
	case call.text("principalArn") != "" && name != "CreateAccessEntry":
		return c.entryARN(call, cluster)
	}
	return c.arn("eks", "cluster/"+cluster)
}
