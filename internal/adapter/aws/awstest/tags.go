package awstest

import (
	"maps"
	"slices"
	"strings"
)

// tag is a tag as the services have it that write its members large.
type tag struct{ Key, Value string }

// maxTags bounds the tags of a resource, by AWS's general reference.
const maxTags = 50

// addTags adds tags to the resource of an ARN, which they may replace.
func (c *Cloud) addTags(arn string, tags []tag) error {
	after := maps.Clone(c.tags[arn])
	if after == nil {
		after = map[string]string{}
	}
	for _, t := range tags {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return refuse("InvalidInput", "Tag keys that start with aws: are reserved")
		}
		after[t.Key] = t.Value
	}
	if len(after) > maxTags {
		return refuse("LimitExceeded", "The resource %s would have more than %d tags", arn, maxTags)
	}
	c.tags[arn] = after
	return nil
}

// onARN is an operation on the resource that find names, which fails where there is none.
func onARN(find func(*Call) (arn string, err error), do func(call *Call, arn string) (any, error)) handler {
	return func(call *Call) (any, error) {
		arn, err := find(call)
		if err != nil {
			return nil, err
		}
		return do(call, arn)
	}
}

// addTagsOf adds the tags of the input, which are a list.
func (c *Cloud) addTagsOf(call *Call, arn string) (any, error) {
	var in struct{ Tags []tag }
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	return map[string]any{}, c.addTags(arn, in.Tags)
}

// setTagsOf adds the tags of the input, which are a map.
func (c *Cloud) setTagsOf(call *Call, arn string) (any, error) {
	c.setTags(arn, requestTags(call))
	return map[string]any{}, nil
}

// dropTagsOf removes the tags whose keys the input has.
func (c *Cloud) dropTagsOf(call *Call, arn string) (any, error) {
	var in struct{ TagKeys []string }
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(c.tags[arn], key)
	}
	return map[string]any{}, nil
}

// listTagsAs returns the tags as a list below the member.
func (c *Cloud) listTagsAs(member string) func(*Call, string) (any, error) {
	return func(_ *Call, arn string) (any, error) { return map[string]any{member: c.tagList(arn)}, nil }
}

// pageOfTags returns the tags as IAM does.
func (c *Cloud) pageOfTags(call *Call, arn string) (any, error) {
	return iamPage(c, call, "Tags", c.tagList(arn))
}

// mapOfTags returns the tags as a map; nothing where there are none.
func (c *Cloud) mapOfTags(_ *Call, arn string) (any, error) {
	if len(c.tags[arn]) == 0 {
		return map[string]any{}, nil
	}
	return map[string]any{"tags": c.tags[arn]}, nil
}

// setTags adds tags that are a map, as some services have them.
func (c *Cloud) setTags(arn string, tags map[string]string) {
	if c.tags[arn] == nil && len(tags) > 0 {
		c.tags[arn] = map[string]string{}
	}
	maps.Copy(c.tags[arn], tags)
}

// tagList lists the tags of a resource by their keys.
func (c *Cloud) tagList(arn string) []tag {
	all := []tag{}
	for _, key := range slices.Sorted(maps.Keys(c.tags[arn])) {
		all = append(all, tag{key, c.tags[arn][key]})
	}
	return all
}

// Tags returns the tags of a resource by its ARN.
func (c *Cloud) Tags(arn string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.tags[arn])
}

// Tag gives a resource tags, as its owner would.
func (c *Cloud) Tag(arn string, tags map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setTags(arn, tags)
}

// withTags adds the condition keys of a request's tags, and of those that the resource has.
func (c *Cloud) withTags(keys map[string][]string, call *Call, arn string) map[string][]string {
	for key, value := range c.tags[arn] {
		keys["aws:ResourceTag/"+key] = []string{value}
	}
	for key, value := range requestTags(call) {
		keys["aws:RequestTag/"+key] = []string{value}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], key)
	}
	for _, member := range []string{"TagKeys", "tagKeys"} {
		list, _ := call.Input[member].([]any)
		for _, key := range list {
			if text, ok := key.(string); ok {
				keys["aws:TagKeys"] = append(keys["aws:TagKeys"], text)
			}
		}
	}
	slices.Sort(keys["aws:TagKeys"])
	if len(keys["aws:TagKeys"]) == 0 {
		delete(keys, "aws:TagKeys")
	}
	return keys
}

// requestTags are the tags of the input: services differ in how they write them.
func requestTags(call *Call) map[string]string {
	tags := map[string]string{}
	for _, member := range []string{"Tags", "tags"} {
		switch v := call.Input[member].(type) {
		case map[string]any:
			for key, value := range v {
				tags[key], _ = value.(string)
			}
		case []any:
			for _, one := range v {
				entry, _ := one.(map[string]any)
				for _, name := range []string{"Key", "key"} {
					if key, ok := entry[name].(string); ok {
						value, _ := entry[strings.Replace(strings.Replace(name, "Key", "Value", 1), "key", "value", 1)].(string)
						tags[key] = value
					}
				}
			}
		}
	}
	return tags
}
