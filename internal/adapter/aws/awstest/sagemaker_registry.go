package awstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// modelGroup is a model package group.
type modelGroup struct {
	name     string
	fields   map[string]any // as DescribeModelPackageGroup returns them
	versions map[int]*ModelPackage
	last     int // numbers are not given again
}

// ModelPackage is a version in the Model Registry.
type ModelPackage struct {
	Group   string
	Version int
	Status  string         // Pending, InProgress, Completed, Failed, Deleting
	Reason  string         // why it failed
	Fields  map[string]any // the other members of DescribeModelPackage's output

	created time.Time
	life    []string // the statuses to come, one with each description
	hidden  int      // from so many lists
}

// tokenUse is a call with a ClientToken.
type tokenUse struct {
	input  string
	output any
}

// ModelPackageLife makes the next version that is created have these statuses, one with
// each description; the last one stays. Without, it is Completed at once.
func (c *Cloud) ModelPackageLife(statuses ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ml.lives = append(c.ml.lives, statuses)
}

// HideNewModelPackages makes each new version missing in that many lists: they are
// eventually consistent.
func (c *Cloud) HideNewModelPackages(lists int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ml.hideLists = lists
}

// ForgetClientTokens is time that goes by: how long AWS remembers them is not documented.
func (c *Cloud) ForgetClientTokens() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ml.tokens = map[string]tokenUse{}
}

// ModelPackages returns the versions of a group, the oldest first.
func (c *Cloud) ModelPackages(group string) (all []ModelPackage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.ml.groups[group]; g != nil {
		for _, n := range slices.Sorted(maps.Keys(g.versions)) {
			p := *g.versions[n]
			p.Fields = maps.Clone(p.Fields)
			all = append(all, p)
		}
	}
	return all
}

// ChangeModelPackage changes a version behind the back of its API.
func (c *Cloud) ChangeModelPackage(group string, version int, change func(*ModelPackage)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.ml.groups[group]
	if g == nil || g.versions[version] == nil {
		return fmt.Errorf("awstest: no model package %s/%d", group, version)
	}
	change(g.versions[version])
	return nil
}

func (c *Cloud) modelRegistry() map[string]handler {
	return map[string]handler{
		"CreateModelPackageGroup":   c.createModelPackageGroup,
		"DeleteModelPackageGroup":   c.deleteModelPackageGroup,
		"DescribeModelPackageGroup": c.describeModelPackageGroup,
		"ListModelPackageGroups":    c.listModelPackageGroups,
		"CreateModelPackage":        c.withToken(c.createModelPackage),
		"UpdateModelPackage":        c.withToken(c.updateModelPackage),
		"DescribeModelPackage":      c.describeModelPackage,
		"DeleteModelPackage":        c.deleteModelPackage,
		"ListModelPackages":         c.listModelPackages,
	}
}

// withToken makes a call with a ClientToken that was used before return what it returned,
// and one with other inputs fail. Calls that failed use up no token.
func (c *Cloud) withToken(h handler) handler {
	return func(call *Call) (any, error) {
		token, ok := call.Input["ClientToken"].(string)
		if !ok {
			return h(call)
		}
		raw, err := json.Marshal(call.Input)
		if err != nil {
			return nil, err
		}
		key := call.Operation.Name + " " + token
		if used, ok := c.ml.tokens[key]; ok {
			if used.input != string(raw) {
				return nil, refuse("ConflictException", "The client token %s was used by a request with other parameters.", token)
			}
			return used.output, nil
		}
		out, err := h(call)
		if err == nil {
			c.ml.tokens[key] = tokenUse{string(raw), out}
		}
		return out, err
	}
}

// userContext is who created or changed something.
func userContext(p Principal) map[string]any {
	return map[string]any{"IamIdentity": map[string]any{"Arn": p.ARN, "PrincipalId": p.AccessKey}}
}

func (c *Cloud) createModelPackageGroup(call *Call) (any, error) {
	var in struct {
		ModelPackageGroupName        string
		ModelPackageGroupDescription *string
		Tags                         []tag
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	arn := c.arn("sagemaker", "model-package-group/"+in.ModelPackageGroupName)
	if c.ml.groups[in.ModelPackageGroupName] != nil {
		return nil, refuse("ValidationException", "Model Package Group already exists: %s", arn)
	}
	fields := map[string]any{
		"ModelPackageGroupName": in.ModelPackageGroupName, "ModelPackageGroupArn": arn, "CreationTime": c.clock().UTC(),
		"CreatedBy": userContext(call.Principal), "ModelPackageGroupStatus": "Completed",
	}
	if in.ModelPackageGroupDescription != nil {
		fields["ModelPackageGroupDescription"] = *in.ModelPackageGroupDescription
	}
	if err := c.addTags(arn, in.Tags); err != nil {
		return nil, err
	}
	c.ml.groups[in.ModelPackageGroupName] = &modelGroup{name: in.ModelPackageGroupName, fields: fields, versions: map[int]*ModelPackage{}}
	return map[string]any{"ModelPackageGroupArn": arn}, nil
}

// modelGroup finds a group by its name or ARN.
func (c *Cloud) modelGroup(name string) (*modelGroup, error) {
	if _, last, ok := strings.Cut(name, ":model-package-group/"); ok {
		name = last
	}
	if g := c.ml.groups[name]; g != nil {
		return g, nil
	}
	return nil, refuse("ValidationException", "ModelPackageGroup %s does not exist.", c.arn("sagemaker", "model-package-group/"+name))
}

func (c *Cloud) deleteModelPackageGroup(call *Call) (any, error) {
	g, err := c.modelGroup(call.text("ModelPackageGroupName"))
	if err != nil {
		return nil, err
	}
	if len(g.versions) > 0 {
		return nil, refuse("ConflictException", "Model Package Group %s cannot be deleted because it still contains Model Packages.", g.name)
	}
	delete(c.ml.groups, g.name)
	delete(c.tags, c.arn("sagemaker", "model-package-group/"+g.name))
	return map[string]any{}, nil
}

func (c *Cloud) describeModelPackageGroup(call *Call) (any, error) {
	g, err := c.modelGroup(fmt.Sprint(call.Input["ModelPackageGroupName"]))
	if err != nil {
		return nil, err
	}
	return g.fields, nil
}

// createdMembers are those that a description repeats as they were created.
var createdMembers = []string{
	"ModelPackageDescription", "InferenceSpecification", "SourceAlgorithmSpecification", "ModelApprovalStatus", "MetadataProperties", "ModelMetrics",
	"CustomerMetadataProperties", "SourceUri", "ModelLifeCycle", "ModelPackageRegistrationType", "Domain", "Task", "SkipModelValidation", "SamplePayloadUrl",
}

func (c *Cloud) createModelPackage(call *Call) (any, error) {
	name, ok := call.Input["ModelPackageGroupName"].(string)
	switch {
	case !ok || call.Input["ModelPackageName"] != nil:
		return nil, refuse("ValidationException", "awstest has versioned model packages only: ModelPackageGroupName is required, ModelPackageName is not applicable")
	case call.Input["Tags"] != nil:
		return nil, refuse("ValidationException", "Tags cannot be provided for a model package that belongs to a model package group.")
	}
	g, err := c.modelGroup(name)
	if err != nil {
		return nil, err
	}
	if spec, ok := call.Input["InferenceSpecification"].(map[string]any); ok {
		containers, _ := spec["Containers"].([]any)
		for _, container := range containers {
			if err := c.checkContainer(container); err != nil {
				return nil, err
			}
		}
	}
	g.last++
	p := &ModelPackage{Group: g.name, Version: g.last, Status: "Completed", Fields: map[string]any{}, created: c.clock().UTC(), hidden: c.ml.hideLists}
	for _, member := range createdMembers {
		if v := call.Input[member]; v != nil {
			p.Fields[member] = v
		}
	}
	if p.Fields["ModelApprovalStatus"] == nil {
		p.Fields["ModelApprovalStatus"] = "PendingManualApproval"
	}
	if p.Fields["ModelPackageRegistrationType"] == nil {
		p.Fields["ModelPackageRegistrationType"] = "Registered"
	}
	p.Fields["CreatedBy"] = userContext(call.Principal)
	if len(c.ml.lives) > 0 {
		p.Status, p.life = c.ml.lives[0][0], c.ml.lives[0][1:]
		c.ml.lives = c.ml.lives[1:]
	}
	g.versions[p.Version] = p
	return map[string]any{"ModelPackageArn": c.packageARN(p)}, nil
}

func (c *Cloud) packageARN(p *ModelPackage) string {
	return c.arn("sagemaker", fmt.Sprintf("model-package/%s/%d", p.Group, p.Version))
}

// modelPackage finds a version by its ARN.
func (c *Cloud) modelPackage(arn string) (*ModelPackage, error) {
	path, _ := strings.CutPrefix(arn, c.arn("sagemaker", "model-package/"))
	name, number, _ := strings.Cut(path, "/")
	if g := c.ml.groups[name]; g != nil {
		if n, err := strconv.Atoi(number); err == nil && g.versions[n] != nil {
			return g.versions[n], nil
		}
	}
	return nil, refuse("ValidationException", "ModelPackage %s does not exist.", arn)
}

// maxCustomerMetadata is how many entries a version has at most. Source: the model's
// CustomerMetadataMap; an update adds to what is there.
const maxCustomerMetadata = 50

func (c *Cloud) updateModelPackage(call *Call) (any, error) {
	p, err := c.modelPackage(fmt.Sprint(call.Input["ModelPackageArn"]))
	if err != nil {
		return nil, err
	}
	if p.Status == "Deleting" {
		return nil, refuse("ConflictException", "ModelPackage %s is being deleted.", c.packageARN(p))
	}
	metadata := map[string]any{}
	for _, from := range []any{p.Fields["CustomerMetadataProperties"], call.Input["CustomerMetadataProperties"]} {
		entries, _ := from.(map[string]any)
		maps.Copy(metadata, entries)
	}
	removed, _ := call.Input["CustomerMetadataPropertiesToRemove"].([]any)
	for _, key := range removed {
		delete(metadata, fmt.Sprint(key))
	}
	if len(metadata) > maxCustomerMetadata {
		return nil, refuse("ValidationException", "A model package has at most %d customer metadata properties.", maxCustomerMetadata)
	}
	for _, member := range []string{"ModelApprovalStatus", "ApprovalDescription", "ModelLifeCycle", "SourceUri", "InferenceSpecification", "ModelPackageRegistrationType"} {
		if v := call.Input[member]; v != nil {
			p.Fields[member] = v
		}
	}
	if delete(p.Fields, "CustomerMetadataProperties"); len(metadata) > 0 {
		p.Fields["CustomerMetadataProperties"] = metadata
	}
	p.Fields["LastModifiedTime"], p.Fields["LastModifiedBy"] = c.clock().UTC(), userContext(call.Principal)
	return map[string]any{"ModelPackageArn": c.packageARN(p)}, nil
}
