package catalog

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/blobs"
	"github.com/slipway-cd/slipway/internal/record/runfiles"
	"github.com/slipway-cd/slipway/internal/record/scanarchives"
	"github.com/slipway-cd/slipway/internal/record/shared"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
)

// maxViewAge is how old a view of the shared state may be when it is read: a use case
// reads many times in a moment.
const maxViewAge = 500 * time.Millisecond

// openRecords opens the records: this machine's file, or its view of what machines
// share.
func openRecords(ctx context.Context, set extension.Set, w app.Workspace) (*sqlite.Store, *shared.State, error) {
	if w.State == "" {
		store, err := sqlite.Open(ctx, w.RecordsPath(), w.Project, time.Now)
		return store, nil, err
	}
	state, err := openShared(ctx, set, w)
	if err != nil {
		return nil, nil, err
	}
	var store *sqlite.Store
	if w.Records != "" || state.Log == nil {
		store, err = sqlite.Open(ctx, w.RecordsPath(), w.Project, time.Now)
	} else {
		store, err = sqlite.OpenView(ctx, w.Views(), w.Project, time.Now, state.Log, maxViewAge)
	}
	if err == nil {
		store, err = onMachine(store, w)
	}
	if err != nil {
		return nil, nil, errors.Join(err, state.Close())
	}
	return store, state, nil
}

// onMachine keeps the environments of the local target apart: each machine has others.
func onMachine(store *sqlite.Store, w app.Workspace) (*sqlite.Store, error) {
	seen, err := store.OnMachine(w.Machine.ID, w.MachineEnvironments)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return seen, nil
}

func openShared(ctx context.Context, set extension.Set, w app.Workspace) (*shared.State, error) {
	u, kind, err := set.ParseStateURL(w.State)
	if err != nil {
		return nil, err
	}
	objects, err := kind.Open(ctx, u)
	if err != nil {
		return nil, err
	}
	return shared.Open(ctx, extension.StateName(u), objects, w.ReadOnly, time.Now())
}

// openBlobs returns the blobs of the shared state; nil without one.
func openBlobs(state *shared.State) port.SharedBlobs {
	if state == nil {
		return nil
	}
	return &blobs.Store{Objects: state.Objects}
}

// runFiles returns where machines read what runs print on others; nil without a shared
// state.
func runFiles(state *shared.State, project delivery.Project) record.RunFiles {
	if state == nil {
		return nil
	}
	return runfiles.Store{Objects: state.Objects, Project: project}
}

// scanArchives returns what machines share of vulnerability databases; nil without a
// shared state.
func scanArchives(store *sqlite.Store, kept port.Blobs) port.ScanArchives {
	if kept == nil {
		return nil
	}
	return scanarchives.Store{Cache: store.Cache(), Blobs: kept}
}
