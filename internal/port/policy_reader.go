package port

import "context"

// PolicyReader is a target that keeps a policy beside what it runs, where the people who
// deploy there can't write it.
type PolicyReader interface {
	// ReadPolicy returns the text of the policy, and its place for people. A nil text is
	// none; a policy that can't be read is an error.
	ReadPolicy(ctx context.Context) (text []byte, place string, err error)
}
