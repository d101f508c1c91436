package resources

import (
	"context"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/port"
)

var taggingAPI = session.API{Name: "tagging", Target: "ResourceGroupsTaggingAPI_20170126", Version: "1.1"}

// tagged is a resource that has the project's tag.
type tagged struct {
	arn  string
	tags map[string]string
}

// tagged lists the resources of a type ("ecr:repository") with the project's tag.
func (a *Account) tagged(ctx context.Context, kind, project string) (found []tagged, err error) {
	in := map[string]any{
		"TagFilters":          []map[string]any{{"Key": account.TagProject, "Values": []string{project}}},
		"ResourceTypeFilters": []string{kind},
	}
	for range maxPages {
		var out struct {
			PaginationToken        string
			ResourceTagMappingList []struct {
				ResourceARN string
				Tags        []tag
			}
		}
		if _, err := a.json(ctx, "list what has the tag of "+project, taggingAPI, "GetResources", in, &out); err != nil {
			return nil, err
		}
		for _, m := range out.ResourceTagMappingList {
			found = append(found, tagged{m.ResourceARN, tagMap(m.Tags)})
		}
		if out.PaginationToken == "" {
			return found, nil
		}
		in["PaginationToken"] = out.PaginationToken
	}
	return nil, errTooManyPages
}

// ownedByTag reads everything of a type that has the project's tag. The name is what
// follows the last mark in the ARN.
func (a *Account) ownedByTag(ctx context.Context, p port.Account, kind account.Kind, of, mark string, set account.Set) (found []account.Observed, err error) {
	all, err := a.tagged(ctx, of, set.Project)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		i := strings.LastIndex(t.arn, mark)
		if i < 0 {
			continue
		}
		o, err := p.Read(ctx, account.Resource{Kind: kind, Name: t.arn[i+len(mark):], ARN: t.arn})
		if err != nil {
			return nil, err
		}
		if o != nil && o.Owner() == set.Project { // the list may lag
			found = append(found, *o)
		}
	}
	return found, nil
}
