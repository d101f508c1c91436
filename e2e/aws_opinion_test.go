//go:build e2e && linux

package e2e

import (
	"os"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/opinion"
)

// compareDecisions asks ministack about every decision that the test's policies made so
// far, if `make aws-opinions` has installed it.
func (a *awsProject) compareDecisions() {
	a.t.Helper()
	python := os.Getenv("SLIPWAY_AWS_OPINIONS")
	if python == "" {
		a.t.Log("policies: no second opinion, as $SLIPWAY_AWS_OPINIONS is not set")
		return
	}
	var questions []opinion.Question
	var ours []awstest.Decision
	for _, j := range a.cloud.Judgements() {
		questions, ours = append(questions, opinion.Question{Texts: j.Texts, Access: j.Access}), append(ours, j.Decision)
	}
	e := opinion.StartMinistack(a.t, python)
	e.Await(a.t)
	opinion.CompareDecisions(a.t, python, e, questions, ours)
}
