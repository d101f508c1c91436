package cloudwatch

import (
	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/extension"
)

// AlarmRights are what an environment's alarms call; makes: some of them are Slipway's own.
func AlarmRights(p extension.AWSPlace, makes bool) []account.Statement {
	all := []account.Statement{{
		Sid: "AskAlarms", Actions: []string{"cloudwatch:DescribeAlarms", "cloudwatch:ListAlarmMuteRules"}, Resources: []string{"*"},
		Needs: []account.Need{
			{Step: "deploy, verify, watch", Call: "cloudwatch:DescribeAlarms", Why: "to ask for states; composite alarms are shown to those only who may ask for all"},
			{Step: "watch", Call: "cloudwatch:ListAlarmMuteRules", Why: "to name the rule that mutes an alarm; it has no resources"},
		},
	}}
	if !makes {
		return all
	}
	return append(all, account.Statement{
		Sid: "MakeAlarmsOfReleases", Actions: []string{"cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"},
		Resources: []string{p.ARN("cloudwatch", "alarm:slipway/"+p.Service+"/"+p.Environment+"/*")},
		Needs: []account.Need{
			{Step: "deploy", Call: "cloudwatch:DeleteAlarms", Why: "to remove an alarm that the file does not have any more"},
			{Step: "deploy", Call: "cloudwatch:PutMetricAlarm", Why: "to make p95 and error_rate before the first request"},
			{Step: "deploy", Call: "cloudwatch:TagResource", Why: "to mark them as Slipway's, in the same call"},
		},
	})
}

// MetricRights are what publishing in a namespace calls.
func MetricRights(_ extension.AWSPlace, namespace string) []account.Statement {
	return []account.Statement{{
		Sid: "PublishMetrics", Actions: []string{"cloudwatch:PutMetricData"}, Resources: []string{"*"},
		Conditions: account.Conditions{"StringEquals": {"cloudwatch:namespace": {namespace}}},
		Needs:      []account.Need{{Step: "watch, the end of a run", Call: "cloudwatch:PutMetricData", Why: "to publish probes and how runs ended; metrics have no ARNs, so the namespace bounds it"}},
	}}
}
