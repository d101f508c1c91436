package resources

import (
	"context"
	"net/url"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

var (
	logsAPI   = session.API{Name: "logs", Target: "Logs_20140328", Version: "1.1"}
	alarmsAPI = session.API{Name: "monitoring", Target: "GraniteServiceVersion20100801", Version: "1.0"}
	snsAPI    = session.API{Name: "sns", Version: "2010-03-31"}
)

// logGroup looks after groups of CloudWatch Logs.
type logGroup struct{ *Account }

// topic looks after topics of SNS.
type topic struct{ *Account }

// alarm knows the alarms that deployments make, and removes them.
type alarm struct{ *Account }

var (
	_ port.Account = logGroup{}
	_ port.Account = topic{}
	_ port.Account = alarm{}
)

// Read implements port.Account.
func (p logGroup) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	type group struct {
		LogGroupName    string
		LogGroupArn     string
		RetentionInDays int
	}
	in, action := map[string]any{"logGroupNamePrefix": want.Name}, "read the "+want.Title()
	for range maxPages {
		var out struct {
			LogGroups []group
			NextToken string
		}
		if _, err := p.json(ctx, action, logsAPI, "DescribeLogGroups", in, &out); err != nil {
			return nil, err
		}
		for _, g := range out.LogGroups {
			if g.LogGroupName != want.Name {
				continue
			}
			arn := strings.TrimSuffix(want.ARN, ":*")
			var tags struct{ Tags map[string]string }
			_, err := p.json(ctx, action, logsAPI, "ListTagsForResource", map[string]any{"resourceArn": arn}, &tags)
			return &account.Observed{
				Resource: account.Resource{Kind: account.KindLogGroup, Name: want.Name, ARN: arn, Spec: account.LogGroup{RetentionDays: g.RetentionInDays}},
				Tags:     tags.Tags,
			}, err
		}
		if out.NextToken == "" {
			return nil, nil //nolint:nilnil // nil means that it does not exist
		}
		in["nextToken"] = out.NextToken
	}
	return nil, errTooManyPages
}

// Create implements port.Account.
func (p logGroup) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	return createInSteps(ctx, p, want, tags, func() (string, error) {
		in := map[string]any{"logGroupName": want.Name, "tags": tags}
		return p.json(ctx, "make the "+want.Title(), logsAPI, "CreateLogGroup", in, nil, "ResourceAlreadyExistsException")
	}, func() error { return p.retain(ctx, want) })
}

// retain sets how long events are kept.
func (p logGroup) retain(ctx context.Context, want account.Resource) error {
	spec, err := account.SpecOf[account.LogGroup](want)
	if err != nil {
		return err
	}
	action := "set the retention of the " + want.Title()
	if spec.RetentionDays == 0 {
		_, err := p.json(ctx, action, logsAPI, "DeleteRetentionPolicy", map[string]any{"logGroupName": want.Name}, nil)
		return err
	}
	_, err = p.json(ctx, action, logsAPI, "PutRetentionPolicy", map[string]any{"logGroupName": want.Name, "retentionInDays": spec.RetentionDays}, nil)
	return err
}

// Update implements port.Account.
func (p logGroup) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	return all(func() error {
		in := map[string]any{"resourceArn": strings.TrimSuffix(want.ARN, ":*"), "tags": tags}
		_, err := p.json(ctx, "tag the "+want.Title(), logsAPI, "TagResource", in, nil)
		return err
	}, func() error { return p.retain(ctx, want) })
}

// Delete implements port.Account.
func (p logGroup) Delete(ctx context.Context, r account.Resource) error {
	_, err := p.json(ctx, "delete the "+r.Title(), logsAPI, "DeleteLogGroup", map[string]any{"logGroupName": r.Name}, nil, "ResourceNotFoundException")
	return err
}

// Owned implements port.Account.
func (p logGroup) Owned(ctx context.Context, of account.Set) ([]account.Observed, error) {
	return p.ownedByTag(ctx, p, account.KindLogGroup, "logs:log-group", ":log-group:", of)
}

const topicMissing = "NotFound"

// Read implements port.Account.
func (p topic) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	action := "read the " + want.Title()
	code, err := p.query(ctx, action, snsAPI, "GetTopicAttributes", form("TopicArn", want.ARN), nil, topicMissing)
	if err != nil || code != "" {
		return nil, err
	}
	var out struct {
		Tags []tag `xml:"Tags>member"`
	}
	code, err = p.query(ctx, action, snsAPI, "ListTagsForResource", form("ResourceArn", want.ARN), &out, "ResourceNotFound")
	if code != "" && err == nil {
		return nil, nil //nolint:nilnil // it went meanwhile
	}
	return &account.Observed{
		Resource: account.Resource{Kind: account.KindTopic, Name: want.Name, ARN: want.ARN, Spec: account.Topic{}}, Tags: tagMap(out.Tags),
	}, err
}

// Create implements port.Account. SNS returns a topic that exists, if its tags are these.
func (p topic) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	have, err := p.Read(ctx, want)
	if err != nil && !fault.Is(err, fault.Denied) {
		return err
	}
	if have != nil {
		return create(ctx, p, want, tags)
	}
	_, made := p.query(ctx, "make the "+want.Title(), snsAPI, "CreateTopic", withTags(form("Name", want.Name), tags), nil)
	return all(func() error { return err }, func() error { return made })
}

// Update implements port.Account.
func (p topic) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	_, err := p.query(ctx, "tag the "+want.Title(), snsAPI, "TagResource", withTags(form("ResourceArn", want.ARN), tags), nil)
	return err
}

// Delete implements port.Account.
func (p topic) Delete(ctx context.Context, r account.Resource) error {
	_, err := p.query(ctx, "delete the "+r.Title(), snsAPI, "DeleteTopic", url.Values{"TopicArn": {r.ARN}}, nil, topicMissing)
	return err
}

// Owned implements port.Account.
func (p topic) Owned(ctx context.Context, of account.Set) ([]account.Observed, error) {
	return p.ownedByTag(ctx, p, account.KindTopic, "sns", ":", of)
}
