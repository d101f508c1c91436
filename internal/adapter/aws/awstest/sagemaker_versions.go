package awstest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// AddModelPackageGroup makes an empty group.
func (c *Cloud) AddModelPackageGroup(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ml.groups[name] = &modelGroup{name: name, versions: map[int]*ModelPackage{}, fields: map[string]any{
		"ModelPackageGroupName": name, "ModelPackageGroupArn": c.arn("sagemaker", "model-package-group/"+name), "CreationTime": c.clock().UTC(), "ModelPackageGroupStatus": "Completed",
		"CreatedBy": userContext(Principal{ARN: "arn:aws:iam::" + c.Account + ":user/admin", AccessKey: "AIDA0000000000000000"}),
	}}
}

// Approval is the version's approval, such as Approved.
func (p ModelPackage) Approval() string {
	status, _ := p.Fields["ModelApprovalStatus"].(string)
	return status
}

// DecidedBy is the ARN of who changed the version last, or "".
func (p ModelPackage) DecidedBy() string {
	by, _ := p.Fields["LastModifiedBy"].(map[string]any)
	identity, _ := by["IamIdentity"].(map[string]any)
	arn, _ := identity["Arn"].(string)
	return arn
}

func (c *Cloud) describeModelPackage(call *Call) (any, error) {
	p, err := c.modelPackage(fmt.Sprint(call.Input["ModelPackageName"]))
	if err != nil {
		return nil, err
	}
	out := maps.Clone(p.Fields)
	validation := map[string]any{"Name": "validation", "Status": "Completed"}
	if p.Status == "Failed" {
		validation["Status"], validation["FailureReason"] = "Failed", p.Reason
	}
	maps.Copy(out, c.summary(p))
	out["ModelPackageName"] = fmt.Sprintf("%s-%d", p.Group, p.Version)
	out["ModelPackageStatusDetails"] = map[string]any{"ValidationStatuses": []any{validation}}
	switch {
	case p.Status == "Deleting":
		delete(c.ml.groups[p.Group].versions, p.Version)
	case len(p.life) > 0:
		p.Status, p.life = p.life[0], p.life[1:]
	}
	return out, nil
}

// summary is what lists say of a version.
func (c *Cloud) summary(p *ModelPackage) map[string]any {
	out := map[string]any{
		"ModelPackageGroupName": p.Group, "ModelPackageVersion": p.Version, "ModelPackageArn": c.packageARN(p), "CreationTime": p.created, "ModelPackageStatus": p.Status,
	}
	for _, member := range []string{"ModelApprovalStatus", "ModelPackageDescription", "ModelLifeCycle", "ModelPackageRegistrationType"} {
		if v := p.Fields[member]; v != nil {
			out[member] = v
		}
	}
	return out
}

func (c *Cloud) deleteModelPackage(call *Call) (any, error) {
	p, err := c.modelPackage(fmt.Sprint(call.Input["ModelPackageName"]))
	if err != nil {
		return nil, err
	}
	p.Status = "Deleting" // until it is described once more
	return map[string]any{}, nil
}

// defaultPage is how many entries a list returns unless it is asked for more.
const defaultPage = 10

type listInput struct {
	ModelPackageGroupName, ModelPackageType, ModelApprovalStatus, NameContains string
	SortBy, SortOrder, NextToken                                               string
	MaxResults                                                                 int
}

func (c *Cloud) listModelPackages(call *Call) (any, error) {
	var in listInput
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	var found []*ModelPackage
	if in.ModelPackageGroupName != "" {
		g, err := c.modelGroup(in.ModelPackageGroupName)
		if err != nil {
			return nil, err
		}
		found = slices.Collect(maps.Values(g.versions))
	} else if in.ModelPackageType == "Versioned" || in.ModelPackageType == "Both" { // AWS lists the others by default
		for _, g := range c.ml.groups {
			found = slices.AppendSeq(found, maps.Values(g.versions))
		}
	}
	found = slices.DeleteFunc(found, func(p *ModelPackage) bool {
		if p.hidden > 0 {
			p.hidden--
			return true
		}
		other := in.ModelApprovalStatus != "" && p.Fields["ModelApprovalStatus"] != in.ModelApprovalStatus
		return other || !strings.Contains(p.Group, in.NameContains)
	})
	slices.SortFunc(found, func(a, b *ModelPackage) int {
		if in.SortBy == "Name" {
			return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Version, b.Version))
		}
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Version, b.Version))
	})
	page, next, err := pageOf(found, in.SortOrder, in.MaxResults, in.NextToken, c.packageARN)
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, p := range page {
		all = append(all, c.summary(p))
	}
	return withNext(map[string]any{"ModelPackageSummaryList": all}, next), nil
}

func (c *Cloud) listModelPackageGroups(call *Call) (any, error) {
	var in listInput
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	var found []*modelGroup
	for _, name := range slices.Sorted(maps.Keys(c.ml.groups)) {
		if strings.Contains(name, in.NameContains) {
			found = append(found, c.ml.groups[name])
		}
	}
	page, next, err := pageOf(found, in.SortOrder, in.MaxResults, in.NextToken, func(g *modelGroup) string { return g.name })
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, g := range page {
		entry := maps.Clone(g.fields)
		delete(entry, "CreatedBy")
		all = append(all, entry)
	}
	return withNext(map[string]any{"ModelPackageGroupSummaryList": all}, next), nil
}

// pageOf cuts a page out of a list in ascending order. A token names the entry that comes
// next, so that what is added meanwhile moves nothing.
func pageOf[T any](all []T, order string, size int, token string, name func(T) string) (page []T, next string, err error) {
	if order == "Descending" {
		slices.Reverse(all)
	}
	from := 0
	if token != "" {
		raw, err := base64.StdEncoding.DecodeString(token)
		from = slices.IndexFunc(all, func(v T) bool { return name(v) == string(raw) })
		if err != nil || from < 0 {
			return nil, "", refuse("ValidationException", "Invalid pagination token %s", strconv.Quote(token))
		}
	}
	if size == 0 {
		size = defaultPage
	}
	to := min(from+size, len(all))
	if to < len(all) {
		next = base64.StdEncoding.EncodeToString([]byte(name(all[to])))
	}
	return all[from:to], next, nil
}

func withNext(out map[string]any, next string) map[string]any {
	if next != "" {
		out["NextToken"] = next
	}
	return out
}
