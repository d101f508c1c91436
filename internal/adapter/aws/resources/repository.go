package resources

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

var ecrAPI = session.API{Name: "ecr", Host: "api.ecr", Target: "AmazonEC2ContainerRegistry_V20150921", Version: "1.1"}

const ecrMissing = "RepositoryNotFoundException"

// repository looks after repositories of ECR.
type repository struct{ *Account }

var _ port.Account = repository{}

// lifecycle is the one policy that repositories get: tagged images never match a rule.
type lifecycle struct {
	Rules []lifecycleRule `json:"rules"`
}

type lifecycleRule struct {
	Priority    int       `json:"rulePriority"`
	Description string    `json:"description,omitempty"`
	Selection   selection `json:"selection"`
	Action      struct {
		Type string `json:"type"`
	} `json:"action"`
}

type selection struct {
	Status string `json:"tagStatus"`
	Count  string `json:"countType"`
	Unit   string `json:"countUnit,omitempty"`
	Number int    `json:"countNumber"`
}

// untaggedRule deletes untagged images after some days.
func untaggedRule(days int) lifecycle {
	r := lifecycleRule{Priority: 1, Description: account.UntaggedRule, Selection: selection{"untagged", "sinceImagePushed", "days", days}}
	r.Action.Type = "expire"
	return lifecycle{[]lifecycleRule{r}}
}

// Read implements port.Account.
func (p repository) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	var out struct {
		Repositories []struct {
			RepositoryArn              string
			ImageTagMutability         string
			ImageScanningConfiguration struct{ ScanOnPush bool }
		}
	}
	action := "read the " + want.Title()
	code, err := p.json(ctx, action, ecrAPI, "DescribeRepositories", map[string]any{"repositoryNames": []string{want.Name}}, &out, ecrMissing)
	if err != nil || code != "" || len(out.Repositories) == 0 {
		return nil, err
	}
	found := out.Repositories[0]
	spec := account.Repository{Immutable: strings.HasPrefix(found.ImageTagMutability, "IMMUTABLE"), ScanOnPush: found.ImageScanningConfiguration.ScanOnPush}
	o := &account.Observed{Resource: account.Resource{Kind: account.KindRepository, Name: want.Name, ARN: found.RepositoryArn, Data: true}}
	err = all(func() (err error) {
		o.Others, err = p.readRules(ctx, action, want.Name, &spec)
		return err
	}, func() error {
		var list struct{ Tags []tag }
		_, err := p.json(ctx, action, ecrAPI, "ListTagsForResource", map[string]any{"resourceArn": found.RepositoryArn}, &list)
		o.Tags = tagMap(list.Tags)
		return err
	})
	o.Spec = spec
	return o, err
}

// readRules reads after how many days untagged images go. Every other rule is one that
// is not to be there: it may delete the image that a rollback needs.
func (p repository) readRules(ctx context.Context, action, name string, spec *account.Repository) (others []account.Difference, err error) {
	var out struct{ LifecyclePolicyText string }
	code, err := p.json(ctx, action, ecrAPI, "GetLifecyclePolicy", map[string]any{"repositoryName": name}, &out, "LifecyclePolicyNotFoundException")
	if err != nil || code != "" {
		return nil, err
	}
	var rules lifecycle
	if err := json.Unmarshal([]byte(out.LifecyclePolicyText), &rules); err != nil {
		return nil, fault.New(fault.Unavailable, "%s has a lifecycle policy that is not valid JSON", action).Cause(err)
	}
	for _, r := range rules.Rules {
		if s := r.Selection; s.Status == "untagged" && s.Count == "sinceImagePushed" && s.Unit == "days" && r.Action.Type == "expire" && spec.UntaggedDays == 0 {
			spec.UntaggedDays = s.Number
			continue
		}
		text, err := json.Marshal(r.Selection)
		if err != nil {
			return nil, err
		}
		others = append(others, account.Difference{Path: "lifecycle", Have: string(text)})
	}
	return others, nil
}

// Create implements port.Account.
func (p repository) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.Repository](want)
	if err != nil {
		return err
	}
	return createInSteps(ctx, p, want, tags, func() (string, error) {
		in := map[string]any{
			"repositoryName": want.Name, "tags": tagList(tags), "imageTagMutability": mutability(spec),
			"imageScanningConfiguration": map[string]bool{"scanOnPush": spec.ScanOnPush},
		}
		return p.json(ctx, "make the "+want.Title(), ecrAPI, "CreateRepository", in, nil, "RepositoryAlreadyExistsException")
	}, func() error { return p.putRules(ctx, want, spec) })
}

func mutability(s account.Repository) string {
	if s.Immutable {
		return "IMMUTABLE"
	}
	return "MUTABLE"
}

func (p repository) putRules(ctx context.Context, want account.Resource, spec account.Repository) error {
	action := "set the lifecycle of the " + want.Title()
	if spec.UntaggedDays == 0 {
		_, err := p.json(ctx, action, ecrAPI, "DeleteLifecyclePolicy", map[string]any{"repositoryName": want.Name}, nil, "LifecyclePolicyNotFoundException")
		return err
	}
	text, err := json.Marshal(untaggedRule(spec.UntaggedDays))
	if err != nil {
		return err
	}
	_, err = p.json(ctx, action, ecrAPI, "PutLifecyclePolicy", map[string]any{"repositoryName": want.Name, "lifecyclePolicyText": string(text)}, nil)
	return err
}

// Update implements port.Account.
func (p repository) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.Repository](want)
	if err != nil {
		return err
	}
	have, err := p.Read(ctx, want)
	if err != nil || have == nil {
		return err
	}
	live, _ := have.Spec.(account.Repository)
	action := "change the " + want.Title()
	steps := []func() error{func() error {
		_, err := p.json(ctx, action, ecrAPI, "TagResource", map[string]any{"resourceArn": have.ARN, "tags": tagList(tags)}, nil)
		return err
	}}
	if live.Immutable != spec.Immutable {
		steps = append(steps, func() error {
			_, err := p.json(ctx, action, ecrAPI, "PutImageTagMutability", map[string]any{"repositoryName": want.Name, "imageTagMutability": mutability(spec)}, nil)
			return err
		})
	}
	if live.ScanOnPush != spec.ScanOnPush {
		steps = append(steps, func() error {
			in := map[string]any{"repositoryName": want.Name, "imageScanningConfiguration": map[string]bool{"scanOnPush": spec.ScanOnPush}}
			_, err := p.json(ctx, action, ecrAPI, "PutImageScanningConfiguration", in, nil)
			return err
		})
	}
	if live.UntaggedDays != spec.UntaggedDays || len(have.Others) > 0 {
		steps = append(steps, func() error { return p.putRules(ctx, want, spec) })
	}
	return all(steps...)
}

// Delete implements port.Account.
func (p repository) Delete(ctx context.Context, r account.Resource) error {
	_, err := p.json(ctx, "delete the "+r.Title(), ecrAPI, "DeleteRepository", map[string]any{"repositoryName": r.Name, "force": true}, nil, ecrMissing)
	return err
}

// Owned implements port.Account.
func (p repository) Owned(ctx context.Context, of account.Set) ([]account.Observed, error) {
	return p.ownedByTag(ctx, p, account.KindRepository, "ecr:repository", ":repository/", of)
}
