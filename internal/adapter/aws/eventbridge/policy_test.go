package eventbridge

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// A right on the bus is enough, and one on another bus is not.
func TestNotifier_Policy(t *testing.T) {
	l, bus, options := start(t)
	m := port.Message{ID: "r-1", Title: "prod: deployed", Text: "run r-1", JSON: []byte(`{"kind":"run.finished"}`)}
	for resource, allowed := range map[string]bool{bus: true, bus + "-2": false} {
		policy := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "events:PutEvents", "Resource": "` + resource + `", "Condition": {"StringEquals": {"events:source": "slipway"}}}]}`
		if err := l.SetPolicies("user/alice", "", policy); err != nil {
			t.Fatal(err)
		}
		err := New(bus, options).Notify(t.Context(), m)
		if allowed && err != nil || !allowed && (!fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "add events:PutEvents on "+bus+" to the policy")) {
			t.Errorf("with a right on %s: %v (%s)", resource, err, fault.HintOf(err))
		}
	}
}
