package resources

import (
	"context"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// errAlarm: alarms are port.Alarms'.
var errAlarm = fault.New(fault.Internal, "alarms are made by deployments")

// Read implements port.Account.
func (p alarm) Read(context.Context, account.Resource) (*account.Observed, error) {
	return nil, errAlarm
}

// Create implements port.Account.
func (p alarm) Create(context.Context, account.Resource, map[string]string) error { return errAlarm }

// Update implements port.Account.
func (p alarm) Update(context.Context, account.Resource, map[string]string) error { return errAlarm }

// Delete implements port.Account.
func (p alarm) Delete(ctx context.Context, r account.Resource) error {
	_, err := p.json(ctx, "delete the "+r.Title(), alarmsAPI, "DeleteAlarms", map[string]any{"AlarmNames": []string{r.Name}}, nil, "ResourceNotFound", "ResourceNotFoundException")
	return err
}

// Owned implements port.Account. An alarm is known by its name, and by its
// description, as it is for deployments.
func (p alarm) Owned(ctx context.Context, of account.Set) (found []account.Observed, err error) {
	in := map[string]any{"AlarmNamePrefix": "slipway/" + of.Project + "/", "AlarmTypes": []string{"MetricAlarm"}}
	for range maxPages {
		var out struct {
			MetricAlarms []struct{ AlarmName, AlarmArn, AlarmDescription string }
			NextToken    string
		}
		if _, err := p.json(ctx, "list the alarms", alarmsAPI, "DescribeAlarms", in, &out); err != nil {
			return nil, err
		}
		for _, a := range out.MetricAlarms {
			text, ok := strings.CutPrefix(a.AlarmDescription, "Made by Slipway for "+of.Project+" in ")
			if !ok {
				continue
			}
			env, _, _ := strings.Cut(text, ".")
			found = append(found, account.Observed{
				Resource: account.Resource{Kind: account.KindAlarm, Name: a.AlarmName, ARN: a.AlarmArn, Environment: delivery.Environment(env)},
				Tags:     map[string]string{account.TagProject: of.Project},
			})
		}
		if out.NextToken == "" {
			return found, nil
		}
		in["NextToken"] = out.NextToken
	}
	return nil, errTooManyPages
}
