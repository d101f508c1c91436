package port

import "context"

// BranchReader is a Source that can read a file as a branch of the repository that it
// was cloned from has it, as far as this clone knows.
type BranchReader interface {
	// ReadBranch returns a file of the service's folder. The empty branch is the default
	// one of the repository, which its host protects as a rule. name is the branch as it
	// was found, for people; empty: this clone does not have it. ok is false if the
	// branch does not have the file.
	ReadBranch(ctx context.Context, branch, path string) (content []byte, name string, ok bool, err error)
}
