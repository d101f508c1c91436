package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

var _ port.CommitFetcher = Source{}

// fetchTimeout bounds the download of one commit.
const fetchTimeout = 5 * time.Minute

// fetchSettings allow what safeArgs forbid, but for programs that a URL names. A helper
// that outlives git gives up on a server that is silent for a minute.
var fetchSettings = []string{
	"protocol.https.allow=always", "protocol.http.allow=always", "protocol.ssh.allow=always",
	"protocol.git.allow=always", "protocol.file.allow=always",
	"http.lowSpeedLimit=1", "http.lowSpeedTime=60",
}

// Fetch implements port.CommitFetcher. It fetches the commit from origin, and makes the
// tree that the service's folder and the files beside it have there.
func (s Source) Fetch(ctx context.Context, c delivery.Commit) error {
	if err := validateObject(c.Tree); err != nil {
		return err
	}
	if err := validateObject(c.SHA); err != nil {
		return err
	}
	if s.has(ctx, c.Tree+"^{tree}") {
		return nil
	}
	if !s.has(ctx, c.SHA+"^{commit}") {
		if err := s.fetchCommit(ctx, c); err != nil {
			return err
		}
	}
	if len(s.Also) > 0 {
		if err := s.combineCommit(ctx, c.SHA); err != nil {
			return fmt.Errorf("make the tree of commit %s: %w", c.Short(), err)
		}
	}
	if !s.has(ctx, c.Tree+"^{tree}") {
		if ctx.Err() != nil {
			return fmt.Errorf("find the files of commit %s: %w", c.Short(), context.Cause(ctx))
		}
		return missingTree(c)
	}
	return nil
}

func missingTree(c delivery.Commit) error {
	err := fault.New(fault.NotFound, "the files of commit %s, as they were delivered, are not in this clone", c.Short())
	if c.Dirty {
		return err.Hint("uncommitted changes were delivered with --allow-dirty: only the clone that has them can go on")
	}
	return err.Hint("go on in a clone that has the commit, with the same source.also")
}

// has reports whether the repository has an object.
func (s Source) has(ctx context.Context, object string) bool {
	_, err := s.run(ctx, command{dir: s.Dir, args: []string{"cat-file", "-e", object}})
	return err == nil
}

// fetchCommit gets the commit alone where the clone is shallow, and else what leads to it.
func (s Source) fetchCommit(ctx context.Context, c delivery.Commit) error {
	shallow, err := s.run(ctx, command{dir: s.Dir, args: []string{"rev-parse", "--is-shallow-repository"}})
	if err != nil {
		return err
	}
	args := []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head"}
	if strings.TrimSpace(shallow) == "true" {
		args = append(args, "--depth=1")
	}
	within, done := context.WithTimeout(ctx, fetchTimeout)
	defer done()
	_, err = s.run(within, command{dir: s.Dir, userObjects: true, fetches: true, config: fetchSettings, args: append(args, "--", "origin", c.SHA)})
	var f *exitError
	switch {
	case errors.As(err, &f):
		return fault.New(fault.NotFound, "commit %s is not in this clone, and could not be fetched from origin", c.Short()).Cause(err).
			Hint("fetch it, or give this machine access to origin; a clone with the whole history has it (GitHub: fetch-depth: 0)")
	case err != nil && ctx.Err() == nil && within.Err() != nil:
		return fault.New(fault.Unavailable, "fetch commit %s from origin: no end after %s", c.Short(), fetchTimeout).Cause(err)
	}
	return err
}

// combineCommit makes the tree that Head makes of a commit with files beside the folder.
func (s Source) combineCommit(ctx context.Context, sha string) error {
	repo, err := s.openRepository(ctx)
	if err != nil {
		return err
	}
	folder, err := s.run(ctx, command{dir: s.Dir, args: []string{
		"rev-parse", "--verify", "--quiet", "--end-of-options", sha + ":" + strings.TrimSuffix(repo.prefix, "/"),
	}})
	if err != nil {
		return err
	}
	_, err = s.combine(ctx, repo, sha, strings.TrimSpace(folder), nil)
	return err
}
