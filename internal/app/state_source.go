package app

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
)

// checkStateSource refuses to deploy with a shared state that only the commit names: it
// may have been written to get past quarantines and approvals. The option, the variable
// and the protected branch may name one: that is the branch which a pull request goes to,
// or else the default branch, as far as this clone knows it. Where it is not known, the
// targets still remember where their records are; but a pull request names nothing.
func (s *session) checkStateSource(ctx context.Context, t plan.Trigger) error {
	reader, ok := s.deps.Source.(port.BranchReader)
	if s.app.State != "" || s.app.Variable("SLIPWAY_STATE") != "" || !ok {
		return nil
	}
	base := baseBranch(t)
	content, branch, ok, err := reader.ReadBranch(ctx, base, config.FileName)
	if err != nil {
		return fmt.Errorf("read %s of the protected branch: %w", config.FileName, err)
	}
	ours := s.project.State.URL
	if branch == "" && base != "" && ours != "" {
		return fault.New(fault.Denied, "a pull request can't choose the shared state that it is deployed with, and branch %s is not in this clone", base).
			Hint("set SLIPWAY_STATE in the job, or fetch the branch: `git fetch origin %[1]s:refs/remotes/origin/%[1]s`", base)
	}
	if !ok {
		return nil
	}
	theirs, err := config.StateURL(branch+":"+config.FileName, content, s.app.getenv)
	if err != nil {
		return fault.New(fault.Conflict, "find out which shared state the protected branch names").Cause(err).
			Hint("name it with --state URL or SLIPWAY_STATE")
	}
	if theirs != ours {
		return fault.New(fault.Conflict, "%s of this commit names %s, and on %s it names %s", config.FileName, s.nameState(ours), branch, s.nameState(theirs)).
			Hint("merge that change first (and `git fetch`), or say which one with --state URL or SLIPWAY_STATE")
	}
	return nil
}

// baseBranch is the branch that a pull request goes to; empty: the trigger is no pull
// request. What a CI reports about itself counts more than what the options claim.
func baseBranch(t plan.Trigger) string {
	event, branch := t.Event, t.Branch
	if t.CI != nil {
		event, branch = t.CI.Event, t.CI.Branch
	}
	if event != plan.PullRequestEvent {
		return ""
	}
	return branch
}
