package awstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (c *Cloud) snsTopics() map[string]handler {
	return map[string]handler{
		"CreateTopic": c.createTopic, "DeleteTopic": c.deleteTopic, "ListTopics": c.listTopics, "GetTopicAttributes": c.getTopicAttributes, "SetTopicAttributes": c.setTopicAttributes,
		"TagResource": onARN(c.taggedTopic, c.addTagsOf), "UntagResource": onARN(c.taggedTopic, c.dropTagsOf), "ListTagsForResource": onARN(c.taggedTopic, c.listTagsAs("Tags")),
	}
}

// createTopic returns a topic that is there already, unless it is another by its tags or
// attributes.
func (c *Cloud) createTopic(call *Call) (any, error) {
	var in struct {
		Name       string
		Attributes map[string]string
		Tags       []tag
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	if len(in.Name) > 256 || strings.Trim(in.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return nil, refuse("InvalidParameter", "Invalid parameter: Topic Name")
	}
	arn := c.arn("sns", in.Name)
	if t := c.topics[arn]; t != nil {
		for key, value := range in.Attributes {
			if t.attributes[key] != value {
				return nil, refuse("InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes")
			}
		}
		if in.Tags != nil && !maps.Equal(requestTags(call), c.tags[arn]) {
			return nil, refuse("InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags")
		}
		return map[string]any{"TopicArn": arn}, nil
	}
	if err := c.addTags(arn, in.Tags); err != nil {
		return nil, err
	}
	c.topics[arn] = &Topic{ARN: arn, attributes: maps.Clone(in.Attributes)}
	return map[string]any{"TopicArn": arn}, nil
}

// topicOf returns the topic that the input names.
func (c *Cloud) topicOf(call *Call, member, code string) (*Topic, error) {
	if t := c.topics[call.text(member)]; t != nil {
		return t, nil
	}
	return nil, &Error{Code: code, Message: "Topic does not exist", Status: 404}
}

func (c *Cloud) getTopicAttributes(call *Call) (any, error) {
	t, err := c.topicOf(call, "TopicArn", "NotFound")
	if err != nil {
		return nil, err
	}
	all := map[string]string{
		"TopicArn": t.ARN, "Owner": c.Account, "SubscriptionsConfirmed": "0", "SubscriptionsPending": "0", "SubscriptionsDeleted": "0", "DisplayName": "",
		"Policy": fmt.Sprintf(`{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},"Action":["SNS:Publish"],"Resource":"%s","Condition":{"StringEquals":{"AWS:SourceOwner":"%s"}}}]}`, t.ARN, c.Account),
	}
	maps.Copy(all, t.attributes)
	return map[string]any{"Attributes": all}, nil
}

func (c *Cloud) setTopicAttributes(call *Call) (any, error) {
	t, err := c.topicOf(call, "TopicArn", "NotFound")
	if err != nil {
		return nil, err
	}
	name := call.text("AttributeName")
	if !slices.Contains([]string{"DisplayName", "Policy", "KmsMasterKeyId", "DeliveryPolicy", "TracingConfig", "SignatureVersion"}, name) {
		return nil, refuse("InvalidParameter", "Invalid parameter: AttributeName")
	}
	if t.attributes == nil {
		t.attributes = map[string]string{}
	}
	t.attributes[name] = call.text("AttributeValue")
	return map[string]any{}, nil
}

// deleteTopic is idempotent, as SNS's is.
func (c *Cloud) deleteTopic(call *Call) (any, error) {
	delete(c.topics, call.text("TopicArn"))
	delete(c.tags, call.text("TopicArn"))
	return map[string]any{}, nil
}

func (c *Cloud) listTopics(call *Call) (any, error) {
	all := []map[string]string{}
	for _, arn := range slices.Sorted(maps.Keys(c.topics)) {
		all = append(all, map[string]string{"TopicArn": arn})
	}
	out, err := paged(call, "Topics", all)
	if token, ok := out["nextToken"]; ok {
		out["NextToken"] = token
		delete(out, "nextToken")
	}
	return out, err
}

// taggedTopic returns the ARN of the input, whose topic has to be there.
func (c *Cloud) taggedTopic(call *Call) (string, error) {
	t, err := c.topicOf(call, "ResourceArn", "ResourceNotFound")
	if err != nil {
		return "", err
	}
	return t.ARN, nil
}
