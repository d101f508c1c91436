package catalog

import (
	"context"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/shared"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
)

// OpenState opens the shared state of a workspace without its records.
func OpenState(ctx context.Context, w app.Workspace) (*shared.State, error) {
	return openShared(ctx, Default(), w)
}

// VerifyLog applies the log of a shared state in an empty folder, and compares its
// snapshots with what the entries come to.
func VerifyLog(ctx context.Context, s *shared.State, dir string, progress func(entry int64)) (record.LogVerification, error) {
	return sqlite.VerifyLog(ctx, dir, s.Log, progress)
}
