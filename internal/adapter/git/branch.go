package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const remoteRefs = "refs/remotes/origin/"

// ReadBranch implements port.BranchReader, from what was fetched of origin.
func (s Source) ReadBranch(ctx context.Context, branch, path string) (content []byte, name string, ok bool, err error) {
	ref := remoteRefs + branch
	if branch == "" {
		ref += "HEAD"
	}
	full, err := s.ifThere(ctx, "rev-parse", "--verify", "--quiet", "--symbolic-full-name", ref)
	if err != nil || full == "" {
		return nil, "", false, err
	}
	name = strings.TrimPrefix(full, "refs/remotes/")
	blob, err := s.ifThere(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", full+":./"+path) // of this folder
	if err != nil || blob == "" {
		return nil, name, false, err
	}
	text, err := s.run(ctx, command{dir: s.Dir, args: []string{"cat-file", "blob", blob}})
	if err != nil {
		return nil, name, false, fmt.Errorf("read %s of %s: %w", path, name, err)
	}
	return []byte(text), name, true, nil
}

// ifThere returns the output of a command that fails if what it looks for does not exist.
func (s Source) ifThere(ctx context.Context, args ...string) (string, error) {
	out, err := s.run(ctx, command{dir: s.Dir, args: args})
	if f := (*exitError)(nil); errors.As(err, &f) {
		return "", nil
	}
	return strings.TrimSpace(out), err
}
