package awstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (c *Cloud) tagging() map[string]handler {
	return map[string]handler{"GetResources": c.getResources}
}

// getResources finds what has tags, of every service: roles never, as AWS does not, and
// what else is of IAM in us-east-1 only.
func (c *Cloud) getResources(call *Call) (any, error) {
	var in struct {
		ResourceTypeFilters, ResourceARNList []string
		TagFilters                           []struct {
			Key    string
			Values []string
		}
		PaginationToken  string
		ResourcesPerPage int
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	global := strings.Contains(call.Request.Host, ".us-east-1.")
	all := []any{}
	for _, arn := range slices.Sorted(maps.Keys(c.tags)) {
		tags := c.tags[arn]
		parts := strings.SplitN(arn, ":", 6)
		if strings.Contains(arn, ":role/") || (parts[2] == "iam") != global && c.Region != "us-east-1" || len(in.ResourceARNList) > 0 && !slices.Contains(in.ResourceARNList, arn) {
			continue
		}
		kind := parts[2] + ":" + strings.FieldsFunc(parts[5], func(r rune) bool { return r == '/' || r == ':' })[0]
		fits := len(in.ResourceTypeFilters) == 0 || slices.Contains(in.ResourceTypeFilters, parts[2]) || slices.Contains(in.ResourceTypeFilters, kind)
		for _, f := range in.TagFilters {
			value, has := tags[f.Key]
			fits = fits && has && (len(f.Values) == 0 || slices.Contains(f.Values, value))
		}
		if fits {
			all = append(all, map[string]any{"ResourceARN": arn, "Tags": c.tagList(arn)})
		}
	}
	size, start := max(in.ResourcesPerPage, 1), 0
	if in.ResourcesPerPage == 0 {
		size = 50
	}
	if in.PaginationToken != "" {
		if n, err := fmt.Sscanf(in.PaginationToken, "page-%d", &start); n != 1 || err != nil || start > len(all) {
			return nil, refuse("PaginationTokenExpiredException", "The pagination token is not valid")
		}
	}
	end, token := min(start+size, len(all)), ""
	if end < len(all) {
		token = fmt.Sprintf("page-%d", end)
	}
	return map[string]any{"ResourceTagMappingList": all[start:end], "PaginationToken": token}, nil
}

func (c *Cloud) taggingNeeds(*Call) ([]Access, bool) {
	return []Access{{Action: "tag:GetResources", Resource: "*"}}, true
}
