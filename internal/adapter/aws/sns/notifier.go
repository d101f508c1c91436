// Package sns implements port.Notifier with topics of AWS's Simple Notification
// Service.
package sns

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is an entry of notify in slipway.yaml.
type Section struct {
	Topic string `yaml:"sns" json:"sns" jsonschema_description:"ARN of the topic."`
}

const arnPattern = `^arn:aws(-cn|-us-gov)?:sns:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_-]{1,256})$`

// Extension describes the notifier to the catalog.
func Extension() extension.Notifier {
	return extension.Notifier{
		Kind: "sns", Example: "sns: arn:aws:sns:REGION:ACCOUNT:TOPIC",
		Section: extension.SectionOf(func(s *Section, c extension.Checker) {
			c.MatchPattern("sns", s.Topic, arnPattern, "such as arn:aws:sns:ap-southeast-1:111122223333:releases; topics ending in .fifo are not supported")
		}),
		New: func(section any, _ func(string) (string, bool), _ func() time.Time) (port.Notifier, error) {
			s, _ := section.(*Section)
			return New(s.Topic, session.Options{}), nil
		},
	}
}

// Notifier publishes to one topic.
type Notifier struct {
	topic, region, account, name string
	options                      session.Options
}

var _ port.Notifier = (*Notifier)(nil)

// New returns a notifier for the ARN of a topic, which was checked. It connects to
// nothing yet.
func New(topic string, o session.Options) *Notifier {
	parts := strings.SplitN(topic, ":", 6) // arn:aws:sns:REGION:ACCOUNT:TOPIC
	if len(parts) != 6 {
		return &Notifier{topic: topic, name: "sns ?", options: o}
	}
	return &Notifier{topic: topic, region: parts[3], account: parts[4], name: "sns " + parts[5], options: o}
}

// Name returns the name of the topic.
func (n *Notifier) Name() string { return n.name }

// Limits of Publish. Source: its API reference.
const (
	maxSubject = 100        // characters, ASCII, one line
	maxMessage = 256 * 1024 // bytes
)

// Notify publishes title and text once.
func (n *Notifier) Notify(ctx context.Context, m port.Message) error {
	s, err := session.Open(ctx, extension.AWS{Account: n.account, Region: n.region}, n.options)
	if err != nil {
		return err
	}
	text := m.Text
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "")
	}
	_, err = sns.NewFromConfig(s.Config).Publish(ctx, &sns.PublishInput{TopicArn: &n.topic, Subject: aws.String(subject(m.Title)), Message: &text})
	return s.Explain(ctx, "publish to "+n.topic, err)
}

// subject makes a title one that SNS takes: ASCII without control characters.
func subject(title string) string {
	clean := strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || unicode.IsControl(r) {
			return '?'
		}
		return r
	}, title)
	if len(clean) > maxSubject {
		clean = clean[:maxSubject-3] + "..."
	}
	return strings.TrimSpace(clean)
}
