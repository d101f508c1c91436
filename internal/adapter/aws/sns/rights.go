package sns

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/extension"
)

var _ extension.RightsUser = (*Section)(nil)

// AWSRights implements extension.RightsUser. A topic of another account or region has to
// be there already.
func (s *Section) AWSRights(p extension.AWSPlace) extension.AWSRights {
	r := extension.AWSRights{Statements: []account.Statement{{
		Sid: "TellPeople", Actions: []string{"sns:Publish"}, Resources: []string{s.Topic},
		Needs: []account.Need{{Step: "notify", Call: "sns:Publish", Why: "to tell people how a run ended"}},
	}}}
	if name, ok := strings.CutPrefix(s.Topic, p.ARN("sns", "")); ok {
		r.Resources = []account.Resource{{Kind: account.KindTopic, Name: name, ARN: s.Topic, Spec: account.Topic{}, Why: "how runs ended, for people"}}
	}
	return r
}
