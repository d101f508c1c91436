package eventbridge

import (
	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/extension"
)

var _ extension.RightsUser = (*Section)(nil)

// AWSRights implements extension.RightsUser.
func (s *Section) AWSRights(extension.AWSPlace) extension.AWSRights {
	return extension.AWSRights{Statements: []account.Statement{{
		Sid: "PutEvents", Actions: []string{"events:PutEvents"}, Resources: []string{s.Bus},
		Conditions: account.Conditions{"StringEquals": {"events:source": {Source}}},
		Needs:      []account.Need{{Step: "notify", Call: "events:PutEvents", Why: "to tell machines how a run ended, and in no other name"}},
	}}}
}
