package cloudwatchlogs

import (
	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/extension"
)

// Rights are what writing the runs of the place's environment to a group calls.
func Rights(p extension.AWSPlace, group string) []account.Statement {
	return []account.Statement{{
		Sid: "WriteLogsOfRuns", Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"},
		Resources: []string{p.ARN("logs", "log-group:"+group+":log-stream:"+p.Environment+"/*")},
		Needs: []account.Need{
			{Step: "the end of a run", Call: "logs:CreateLogStream", Why: "to begin the run's stream"},
			{Step: "the end of a run", Call: "logs:PutLogEvents", Why: "to write its events"},
		},
	}}
}
