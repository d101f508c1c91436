package cloudwatch

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// documented is what docs/aws.md says that a role needs for alarms, probes and metrics.
const documented = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:TagResource"], "Resource": "arn:aws:cloudwatch:ap-southeast-1:111122223333:alarm:slipway/retail/*"},
	{"Effect": "Allow", "Action": ["cloudwatch:DescribeAlarms", "cloudwatch:ListAlarmMuteRules"], "Resource": "*"},
	{"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": {"StringEquals": {"cloudwatch:namespace": "Slipway"}}}]}`

// The documented policy is enough for everything, and not for another service's alarms.
func TestClient_Policy(t *testing.T) {
	l := start(t)
	if err := l.SetPolicies("user/alice", "", documented); err != nil {
		t.Fatal(err)
	}
	ours, other := port.AlarmOwner{Service: "retail", Environment: "prod"}, port.AlarmOwner{Service: "other", Environment: "prod"}
	for _, wanted := range [][]port.Alarm{{example("prod")}, nil} {
		if _, err := l.client.Ensure(t.Context(), ours, wanted); err != nil {
			t.Error(err)
		}
		if _, err := l.client.States(t.Context(), []string{example("prod").Name}); err != nil {
			t.Error(err)
		}
	}
	if err := l.client.Publish(t.Context(), []port.Measurement{{Metric: "Deployed", Value: 1, Time: time.Now()}}); err != nil {
		t.Error(err)
	}
	for _, j := range l.Judgements() {
		if j.Decision != awstest.Allowed {
			t.Errorf("%s on %s was refused", j.Access.Action, j.Access.Resource)
		}
	}
	foreign := example("prod")
	foreign.Name = "slipway/other/prod/p95"
	_, err := l.client.Ensure(t.Context(), other, []port.Alarm{foreign})
	if !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "add cloudwatch:PutMetricAlarm on arn:aws:cloudwatch:ap-southeast-1:111122223333:alarm:slipway/other/prod/p95") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}
