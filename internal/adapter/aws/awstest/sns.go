package awstest

import (
	"fmt"
	"maps"
)

// Topic is a topic of SNS with what was published to it.
type Topic struct {
	ARN      string
	Messages []Message

	attributes map[string]string
}

// Message is one that was published.
type Message struct{ Subject, Text string }

// AddTopic makes a topic, and returns its ARN.
func (c *Cloud) AddTopic(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	arn := c.arn("sns", name)
	c.topics[arn] = &Topic{ARN: arn}
	return arn
}

// Messages returns what was published to a topic.
func (c *Cloud) Messages(arn string) []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.topics[arn]; t != nil {
		return append([]Message(nil), t.Messages...)
	}
	return nil
}

func (c *Cloud) sns() map[string]handler {
	all := map[string]handler{"Publish": c.publish}
	maps.Copy(all, c.snsTopics())
	return all
}

// maxMessage is SNS's limit, in bytes. Source: Publish in its API reference.
const maxMessage = 262144

func (c *Cloud) publish(call *Call) (any, error) {
	var in struct{ TopicArn, Subject, Message string }
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	t := c.topics[in.TopicArn]
	switch {
	case t == nil:
		return nil, &Error{Code: "NotFound", Message: "Topic does not exist", Status: 404}
	case in.Message == "" || len(in.Message) > maxMessage:
		return nil, refuse("InvalidParameter", "Invalid parameter: Message too long or empty")
	case len(in.Subject) > 100:
		return nil, refuse("InvalidParameter", "Invalid parameter: Subject")
	}
	t.Messages = append(t.Messages, Message{in.Subject, in.Message})
	return map[string]string{"MessageId": fmt.Sprintf("00000000-0000-4000-8000-%012d", c.next())}, nil
}
