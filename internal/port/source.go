package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// File is one file of a git tree.
type File struct {
	Path string // slash-separated, relative to the service's folder
	Mode string // "100644", "100755", "120000"
	Blob string // git object ID of the content
}

// Source is the repository that holds the service. All methods are safe for
// concurrent use and leave the user's index and working tree alone.
type Source interface {
	// Head describes what is checked out. With allowDirty, uncommitted and untracked
	// (not ignored) files are part of Tree; without, they are fault.Conflict, which
	// names the first of them.
	Head(ctx context.Context, allowDirty bool) (delivery.Commit, error)
	// Files lists a tree, sorted by path.
	Files(ctx context.Context, tree string) ([]File, error)
	// Changed lists the paths that differ between two trees, sorted. An unknown
	// tree is fault.NotFound.
	Changed(ctx context.Context, from, to string) ([]string, error)
	// Checkout makes dir hold exactly that tree: unchanged files keep their
	// times, everything else in dir is removed. Idempotent.
	Checkout(ctx context.Context, tree, dir string) error
}

// ScratchSource is a Source that can describe uncommitted changes without writing to
// the repository, and without running programs that the repository names.
type ScratchSource interface {
	Source
	// WithScratch returns the source with the trees of uncommitted changes in dir, a
	// folder outside the repository. They exist as long as the folder. A checkout may
	// lack big files that are not committed, and the contents that Git LFS keeps.
	WithScratch(dir string) Source
}

// TreeChecker is a Source that knows, before a run, what will keep a tree from being
// checked out, such as files whose content is stored elsewhere.
type TreeChecker interface {
	// CheckTree fails as Checkout will, as far as that is known without downloading
	// anything. files are those that Files lists of the tree.
	CheckTree(ctx context.Context, tree string, files []File) error
}

// FolderSource is a Source whose trees may hold files beside the service's folder.
// Files and Changed name them relative to it, such as ../lib/a.py.
type FolderSource interface {
	// Folder returns where the service's folder is in a checkout of the tree, relative
	// to it; empty: it is the checkout.
	Folder(ctx context.Context, tree string) (string, error)
}

// CommitFetcher is a Source that can get what another clone of the repository has and
// this one lacks.
type CommitFetcher interface {
	// Fetch makes Checkout find the tree of a commit as Head described it elsewhere.
	// Without that tree anywhere, it is fault.NotFound. Where it is there already, it
	// does nothing.
	Fetch(ctx context.Context, c delivery.Commit) error
}
