package awstest_test

import (
	"os"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/opinion"
)

const (
	spans = "IAM's user guide, \"IAM JSON policy elements: Resource\": a wildcard cannot span segments of an ARN"
	drops = "the simulator's reference: ContextEntries and PermissionsBoundaryPolicyInputList count; ministack does not read them"
)

// misjudged are the rows of the table that ministack decides otherwise, by its evaluator
// or by its SimulateCustomPolicy, and why we are right.
var misjudged = map[string]string{
	"evaluator: wildcard over a colon": spans, "SimulateCustomPolicy: wildcard over a colon": spans,
	"SimulateCustomPolicy: ArnLike": drops, "SimulateCustomPolicy: Bool": drops, "SimulateCustomPolicy: ForAllValues of one more": drops,
	"SimulateCustomPolicy: ForAnyValue": drops, "SimulateCustomPolicy: Null": drops, "SimulateCustomPolicy: NumericLessThanEquals": drops,
	"SimulateCustomPolicy: StringEquals": drops, "SimulateCustomPolicy: StringLike": drops, "SimulateCustomPolicy: StringNotEquals of it": drops,
	"SimulateCustomPolicy: boundary does not": drops, "SimulateCustomPolicy: case of keys": drops,
}

// TestAWS_PolicyTable asks ministack about every row of the table: the evaluator of the
// tests is our own.
func TestAWS_PolicyTable(t *testing.T) {
	python := os.Getenv("SLIPWAY_AWS_OPINIONS")
	if python == "" {
		t.Skip("$SLIPWAY_AWS_OPINIONS is not set: `make aws-opinions` runs this test")
	}
	e := opinion.StartMinistack(t, python)
	rows := policyTable()
	questions := make([]opinion.Question, len(rows))
	for i, row := range rows {
		questions[i] = opinion.Question{Texts: awstest.Texts{Policies: []string{row.policy}, Boundary: row.boundary}, Access: row.access}
	}
	differs := map[string]bool{}
	for i, decision := range opinion.Evaluate(t, python, questions) {
		differs["evaluator: "+rows[i].name] = decision != rows[i].want
	}
	e.Await(t)
	for i, row := range rows {
		differs["SimulateCustomPolicy: "+row.name] = e.Simulate(t, questions[i]) != row.want
	}
	for name, is := range differs {
		switch {
		case is && misjudged[name] == "":
			t.Errorf("%s: ministack decides otherwise: find out who is right, and list it", name)
		case !is && misjudged[name] != "":
			t.Errorf("%s: ministack decides alike by now: remove it from the list", name)
		}
	}
	t.Logf("awstable: policies: %d rows decided by ministack's evaluator and its SimulateCustomPolicy, %d known divergences", len(rows), len(misjudged))
}
