package awstest

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
)

// Quota is a quota of the account, by Service Quotas.
type Quota struct {
	Service, Code, Name string // "iam", "L-FE177D64", "Roles per account"
	Value               float64
}

// SetServiceQuota makes a quota one of the account's.
func (c *Cloud) SetServiceQuota(q Quota) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serviceQuotas = append(slices.DeleteFunc(c.serviceQuotas, func(old Quota) bool { return old.Service == q.Service && old.Code == q.Code }), q)
}

// newQuotas are some of AWS's defaults. Source: the service endpoints and quotas of the
// general reference.
func newQuotas() []Quota {
	return []Quota{
		{"iam", "L-FE177D64", "Roles per account", 1000},
		{"iam", "L-0DA4ABF3", "Managed policies per role", maxAttached},
		{"iam", "L-C07B4B0D", "Role trust policy length", maxTrust},
		{"ecr", "L-CFEB8E8D", "Registered repositories", 100000},
		{"eks", "L-1194D53C", "Clusters", 100},
		{"sns", "L-61103206", "Topics per Account", 100000},
	}
}

func (c *Cloud) quotaHandlers() map[string]handler {
	return map[string]handler{"GetServiceQuota": c.getServiceQuota, "ListServiceQuotas": c.listServiceQuotas, "GetAWSDefaultServiceQuota": c.getServiceQuota}
}

// quotasOf are those of a service. Those of SageMaker's instances are by SetQuota, with
// codes that are not AWS's: they are found by their names.
func (c *Cloud) quotasOf(service string) (all []Quota) {
	for _, q := range c.serviceQuotas {
		if q.Service == service {
			all = append(all, q)
		}
	}
	if service == "sagemaker" {
		for instance, n := range c.quotas {
			name := instance + " for training job usage"
			all = append(all, Quota{service, fmt.Sprintf("L-%08X", crc32.ChecksumIEEE([]byte(name))), name, float64(n)})
		}
	}
	slices.SortFunc(all, func(a, b Quota) int { return strings.Compare(a.Code, b.Code) })
	return all
}

func (c *Cloud) describeQuota(q Quota) map[string]any {
	return map[string]any{
		"ServiceCode": q.Service, "QuotaCode": q.Code, "QuotaName": q.Name, "Value": q.Value, "Unit": "None", "Adjustable": true, "GlobalQuota": q.Service == "iam",
		"QuotaArn": c.arn("servicequotas", q.Service+"/"+q.Code), "QuotaAppliedAtLevel": "ACCOUNT",
	}
}

func (c *Cloud) getServiceQuota(call *Call) (any, error) {
	for _, q := range c.quotasOf(call.text("ServiceCode")) {
		if q.Code == call.text("QuotaCode") {
			return map[string]any{"Quota": c.describeQuota(q)}, nil
		}
	}
	return nil, refuse("NoSuchResourceException", "The request failed because the specified service quota does not exist.")
}

func (c *Cloud) listServiceQuotas(call *Call) (any, error) {
	all := []map[string]any{}
	for _, q := range c.quotasOf(call.text("ServiceCode")) {
		if code := call.text("QuotaCode"); code == "" || code == q.Code {
			all = append(all, c.describeQuota(q))
		}
	}
	if len(all) == 0 {
		return nil, refuse("NoSuchResourceException", "The request failed because the specified service does not exist.")
	}
	return paged(call, "Quotas", all)
}

func (c *Cloud) quotaNeeds(call *Call) ([]Access, bool) {
	service, code := call.text("ServiceCode"), call.text("QuotaCode")
	if call.Operation.Name != "GetServiceQuota" {
		return []Access{{Action: "servicequotas:" + call.Operation.Name, Resource: "*"}}, true
	}
	keys := map[string][]string{"servicequotas:service": {service}}
	return []Access{{Action: "servicequotas:GetServiceQuota", Resource: c.arn("servicequotas", service+"/"+code), Keys: keys}}, true
}
