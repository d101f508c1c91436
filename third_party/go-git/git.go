// Package git stands in for github.com/go-git/go-git, with which syft can clone the
// repositories of Go modules for their licences, and of vcpkg's registries, from the
// addresses that a scanned image names. Slipway asks for neither, and the real package
// would bring a git, SSH and OpenPGP into the binary. It has only the names that syft
// compiles with, and refuses.
package git

import (
	"context"
	"errors"
	"io"

	"github.com/go-git/go-billy/v5"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage"
)

// ErrLeftOut is what everything returns.
var ErrLeftOut = errors.New("repositories of git are left out of this program")

// CloneOptions say what to clone.
type CloneOptions struct {
	URL           string
	ReferenceName plumbing.ReferenceName
	SingleBranch  bool
	Depth         int
	Progress      io.Writer
}

// CheckoutOptions say what to check out.
type CheckoutOptions struct{ Hash plumbing.Hash }

// Repository would be a repository: there is none.
type Repository struct{ Storer storage.Storer }

// Clone refuses.
func Clone(storage.Storer, billy.Filesystem, *CloneOptions) (*Repository, error) {
	return nil, ErrLeftOut
}

// CloneContext refuses.
func CloneContext(context.Context, storage.Storer, billy.Filesystem, *CloneOptions) (*Repository, error) {
	return nil, ErrLeftOut
}

// Open refuses.
func Open(storage.Storer, billy.Filesystem) (*Repository, error) { return nil, ErrLeftOut }

// PlainOpen refuses.
func PlainOpen(string) (*Repository, error) { return nil, ErrLeftOut }

// ResolveRevision refuses.
func (*Repository) ResolveRevision(plumbing.Revision) (*plumbing.Hash, error) {
	return nil, ErrLeftOut
}

// CommitObject refuses.
func (*Repository) CommitObject(plumbing.Hash) (*object.Commit, error) { return nil, ErrLeftOut }

// TreeObject refuses.
func (*Repository) TreeObject(plumbing.Hash) (*object.Tree, error) { return nil, ErrLeftOut }

// Worktree refuses.
func (*Repository) Worktree() (*Worktree, error) { return nil, ErrLeftOut }

// Worktree would be a repository's files: there are none.
type Worktree struct{}

// Checkout refuses.
func (*Worktree) Checkout(*CheckoutOptions) error { return ErrLeftOut }
