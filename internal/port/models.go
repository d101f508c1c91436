package port

import (
	"context"
	"iter"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// ModelRegistry keeps model versions with their metrics, their lineage and the
// decisions on them; their files are in an ArtifactStore. Every method is atomic
// and safe across processes.
type ModelRegistry interface {
	// Register adds a version to the group, or returns the existing one of the
	// same artifact digest unchanged. A new version is pending approval, and its
	// number is positive and greater than those registered in the group before.
	// An empty group or an invalid digest is fault.Invalid.
	Register(ctx context.Context, group string, artifact delivery.Digest, metrics delivery.Metrics, lineage delivery.Lineage) (delivery.ModelVersion, error)
	// Decide approves or rejects a version, and keeps the decisions before. Repeating
	// the newest one changes nothing and returns it. If d.Revises is set, the version
	// must have that status, or it is fault.Conflict, as is a version with another
	// digest than ref's, unless that is empty. d.At is set here.
	Decide(ctx context.Context, ref delivery.ModelRef, d delivery.ModelDecision) (delivery.ModelVersion, error)
	// Decisions returns the decisions on a version, oldest first; fault.NotFound if
	// there is no such version.
	Decisions(ctx context.Context, group string, version int) ([]delivery.ModelDecision, error)
	// Get returns a version; fault.NotFound if there is none.
	Get(ctx context.Context, group string, version int) (delivery.ModelVersion, error)
	// List returns a page of the versions that the filter selects, newest first.
	// next is where the list goes on; empty: this was the end.
	List(ctx context.Context, f ModelFilter, page Page) (models []delivery.ModelVersion, next Cursor, err error)
}

// ModelFilter selects model versions; an empty field selects all.
type ModelFilter struct {
	Group  string
	Status delivery.ModelStatus
}

// AllModels lists all versions that the filter selects, page by page.
func AllModels(ctx context.Context, r ModelRegistry, f ModelFilter) iter.Seq2[delivery.ModelVersion, error] {
	return All(ctx, func(ctx context.Context, page Page) ([]delivery.ModelVersion, Cursor, error) {
		return r.List(ctx, f, page)
	})
}

// ModelStager is an optional ability of a ModelRegistry that other tools read: it shows
// there what became of its versions.
type ModelStager interface {
	// SetStage shows the stage of a version, in place of the one before. Repeating it
	// changes nothing, and no stage changes the version itself. An unknown version is
	// fault.NotFound, one with another digest than ref's fault.Conflict.
	SetStage(ctx context.Context, ref delivery.ModelRef, s ModelStage) error
}

// ModelStage is what became of a model version in an environment.
type ModelStage struct {
	Environment delivery.Environment
	State       delivery.DeploymentState // Deploying, Serving, Replaced or RolledBack
	Release     delivery.ReleaseID       // that has the version
	Why         string                   // one line, for people; may be empty
}

// ModelLocator is an optional ability of a ModelRegistry from which services load their
// models themselves.
type ModelLocator interface {
	// Locate returns where a service finds the version, in a form that names no other
	// one later. An unknown version is fault.NotFound, as is one without files there;
	// one with another digest than ref's is fault.Conflict. Files that were removed or
	// replaced since the version was registered are fault.Corrupt.
	Locate(ctx context.Context, ref delivery.ModelRef) (ModelLocation, error)
}

// ModelLocation is where a service that loads its model itself finds a version. It is no
// secret, and is recorded.
type ModelLocation struct {
	Name    string // of the version in its registry, such as the ARN of a model package
	URL     string // of the object with its files
	Version string // of that object; empty: its store keeps none
	ETag    string // of that object, without Version
}

// ModelImporter is an optional ability of a ModelRegistry that numbers its versions
// itself: they count from 1 without gaps in each group, and versions that another
// registry numbered can be taken over.
type ModelImporter interface {
	// Import keeps a version as another registry made it: number, metrics and
	// decision. Importing it again adds its decision if that is later than the newest
	// one here and differs from it. A number that belongs to other content here, or
	// content that has another number here, is fault.Conflict. An Unsigned version is
	// pending approval whatever was decided on it, and stays so until it is decided on
	// here; a trusted one of its number or content, and Register, take its place.
	Import(ctx context.Context, m delivery.ModelVersion) error
}
