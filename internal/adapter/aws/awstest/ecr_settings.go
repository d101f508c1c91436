package awstest

import (
	"encoding/json"
	"slices"
)

func (c *Cloud) ecrSettings() map[string]handler {
	return map[string]handler{
		"DeleteRepository": c.deleteRepository, "PutImageTagMutability": c.putImageTagMutability, "PutImageScanningConfiguration": c.putImageScanning,
		"PutLifecyclePolicy": c.putLifecyclePolicy, "GetLifecyclePolicy": c.getLifecyclePolicy, "DeleteLifecyclePolicy": c.deleteLifecyclePolicy,
		"TagResource": onARN(c.taggedRepository, c.addTagsOf), "UntagResource": onARN(c.taggedRepository, c.dropTagsOf), "ListTagsForResource": onARN(c.taggedRepository, c.listTagsAs("tags")),
	}
}

// exclusion is a filter of tags, to which a repository's mutability does not apply.
type exclusion struct {
	Filter string `json:"filter"`
	Type   string `json:"filterType"`
}

// checkExclusions requires filters exactly where the mutability says that there are some.
func checkExclusions(mutability string, filters []exclusion) error {
	with := mutability == "IMMUTABLE_WITH_EXCLUSION" || mutability == "MUTABLE_WITH_EXCLUSION"
	if with != (len(filters) > 0) {
		return refuse("InvalidParameterException", "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: %s has %d filters", mutability, len(filters))
	}
	return nil
}

// immutable reports whether a tag stays at its image.
func (r *Repository) immutable(tag string) bool {
	excluded := slices.ContainsFunc(r.exclusions, func(e exclusion) bool { return like(e.Filter, tag) })
	switch r.Mutability {
	case "IMMUTABLE_WITH_EXCLUSION":
		return !excluded
	case "MUTABLE_WITH_EXCLUSION":
		return excluded
	}
	return r.Mutability == "IMMUTABLE"
}

func (c *Cloud) repositoryOf(call *Call) (*Repository, error) {
	return c.repository(call.text("repositoryName"))
}

// identified adds the members that say which repository a response is about.
func (c *Cloud) identified(r *Repository, more map[string]any) map[string]any {
	more["registryId"], more["repositoryName"] = c.Account, r.Name
	return more
}

func (c *Cloud) createRepository(call *Call) (any, error) {
	var in struct {
		RepositoryName, ImageTagMutability string
		ImageScanningConfiguration         struct{ ScanOnPush bool }
		ImageTagMutabilityExclusionFilters []exclusion
		EncryptionConfiguration            map[string]any
		Tags                               []tag
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	if c.repos[in.RepositoryName] != nil {
		return nil, refuse("RepositoryAlreadyExistsException", "The repository with name '%s' already exists", in.RepositoryName)
	}
	if in.ImageTagMutability == "" {
		in.ImageTagMutability = "MUTABLE" // AWS's default
	}
	if err := checkExclusions(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters); err != nil {
		return nil, err
	}
	if err := c.addTags(c.arn("ecr", "repository/"+in.RepositoryName), in.Tags); err != nil {
		return nil, err
	}
	r := c.addRepository(Repository{Name: in.RepositoryName, Mutability: in.ImageTagMutability, ScanOnPush: in.ImageScanningConfiguration.ScanOnPush})
	r.exclusions, r.encryption = in.ImageTagMutabilityExclusionFilters, in.EncryptionConfiguration
	return map[string]any{"repository": c.describe(r)}, nil
}

func (c *Cloud) deleteRepository(call *Call) (any, error) {
	r, err := c.repositoryOf(call)
	if err != nil {
		return nil, err
	}
	if len(r.images) > 0 && call.Input["force"] != true {
		return nil, refuse("RepositoryNotEmptyException", "The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", r.Name, c.Account)
	}
	d := c.describe(r)
	delete(c.repos, r.Name)
	delete(c.tags, c.arn("ecr", "repository/"+r.Name))
	return map[string]any{"repository": d}, nil
}

func (c *Cloud) putImageTagMutability(call *Call) (any, error) {
	var in struct {
		ImageTagMutability                 string
		ImageTagMutabilityExclusionFilters []exclusion
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	r, err := c.repositoryOf(call)
	if err == nil {
		err = checkExclusions(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	}
	if err != nil {
		return nil, err
	}
	r.Mutability, r.exclusions = in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters
	out := c.identified(r, map[string]any{"imageTagMutability": r.Mutability})
	if len(r.exclusions) > 0 {
		out["imageTagMutabilityExclusionFilters"] = r.exclusions
	}
	return out, nil
}

func (c *Cloud) putImageScanning(call *Call) (any, error) {
	var in struct{ ImageScanningConfiguration struct{ ScanOnPush bool } }
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	r, err := c.repositoryOf(call)
	if err != nil {
		return nil, err
	}
	r.ScanOnPush = in.ImageScanningConfiguration.ScanOnPush
	return c.identified(r, map[string]any{"imageScanningConfiguration": map[string]any{"scanOnPush": r.ScanOnPush}}), nil
}

// lifecycleRule is a rule of a lifecycle policy. Source: ECR's user guide, "Lifecycle
// policy parameters".
type lifecycleRule struct {
	RulePriority int
	Description  string
	Selection    struct {
		TagStatus, CountType, CountUnit, StorageClass string
		TagPrefixList, TagPatternList                 []string
		CountNumber                                   int
	}
	Action struct{ Type, TargetStorageClass string }
}

func (r lifecycleRule) fault() string {
	s := r.Selection
	switch {
	case r.RulePriority < 1:
		return "rulePriority has to be at least 1"
	case !slices.Contains([]string{"tagged", "untagged", "any"}, s.TagStatus):
		return "tagStatus is none of tagged, untagged, any"
	case (s.TagStatus == "tagged") != (len(s.TagPrefixList)+len(s.TagPatternList) > 0):
		return "tagPrefixList or tagPatternList is required for tagged images, and for no others"
	case !slices.Contains([]string{"imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"}, s.CountType):
		return "countType is unknown"
	case (s.CountType == "imageCountMoreThan") == (s.CountUnit == "days"):
		return "countUnit days is required for counts of days, and for no others"
	case s.CountNumber < 1:
		return "countNumber has to be at least 1"
	case r.Action.Type != "expire" && r.Action.Type != "transition":
		return "action has no known type"
	}
	return ""
}

func checkLifecycle(text string) error {
	var policy struct{ Rules []lifecycleRule }
	err := json.Unmarshal([]byte(text), &policy)
	fault, seen := "", map[int]bool{}
	switch {
	case err != nil:
		fault = err.Error()
	case len(policy.Rules) == 0:
		fault = "no rules"
	}
	for _, r := range policy.Rules {
		if fault == "" {
			fault = r.fault()
		}
		if seen[r.RulePriority] {
			fault = "rulePriority is not unique"
		}
		seen[r.RulePriority] = true
	}
	if fault != "" {
		return refuse("InvalidParameterException", "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: %s'", fault)
	}
	return nil
}

func (c *Cloud) putLifecyclePolicy(call *Call) (any, error) {
	r, err := c.repositoryOf(call)
	if err == nil {
		err = checkLifecycle(call.text("lifecyclePolicyText"))
	}
	if err != nil {
		return nil, err
	}
	r.lifecycle = call.text("lifecyclePolicyText")
	return c.identified(r, map[string]any{"lifecyclePolicyText": r.lifecycle}), nil
}

// lifecycleOf returns the repository of the input, which has to have a lifecycle policy.
func (c *Cloud) lifecycleOf(call *Call) (*Repository, error) {
	r, err := c.repositoryOf(call)
	if err == nil && r.lifecycle == "" {
		return nil, refuse("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", r.Name, c.Account)
	}
	return r, err
}

func (c *Cloud) getLifecyclePolicy(call *Call) (any, error) {
	r, err := c.lifecycleOf(call)
	if err != nil {
		return nil, err
	}
	return c.identified(r, map[string]any{"lifecyclePolicyText": r.lifecycle}), nil
}

func (c *Cloud) deleteLifecyclePolicy(call *Call) (any, error) {
	r, err := c.lifecycleOf(call)
	if err != nil {
		return nil, err
	}
	out := c.identified(r, map[string]any{"lifecyclePolicyText": r.lifecycle})
	r.lifecycle = ""
	return out, nil
}

// taggedRepository returns the ARN of the input, whose repository has to be there.
func (c *Cloud) taggedRepository(call *Call) (string, error) {
	arn := call.text("resourceArn")
	for name := range c.repos {
		if arn == c.arn("ecr", "repository/"+name) {
			return arn, nil
		}
	}
	return "", refuse("RepositoryNotFoundException", "The repository of %s does not exist", arn)
}
