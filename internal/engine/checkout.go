package engine

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// checkout makes the commit's tree once per turn, when the first step asks.
func (x *execution) checkout(ctx context.Context) (string, error) {
	x.checkingOut.Lock()
	defer x.checkingOut.Unlock()
	if x.checkedOut != "" {
		return x.checkedOut, nil
	}
	commit := x.run.Plan.Commit
	if x.e.Source == nil {
		return "", fault.New(fault.Internal, "check out %s: no source is configured", commit.Short())
	}
	dir := filepath.Join(x.e.Home, "work", string(x.run.Environment), "src")
	if err := x.checkOutTree(ctx, commit, dir); err != nil {
		return "", fmt.Errorf("check out %s: %w", commit.Short(), err)
	}
	if source, ok := x.e.Source.(port.FolderSource); ok {
		folder, err := source.Folder(ctx, commit.Tree)
		if err != nil {
			return "", fmt.Errorf("check out %s: %w", commit.Short(), err)
		}
		if folder != "" {
			x.checkoutRoot = dir
		}
		dir = filepath.Join(dir, folder)
	}
	x.checkedOut = dir
	return dir, nil
}

// checkOutTree checks the commit's tree out. A clone that another machine's run goes on in
// may lack the commit.
func (x *execution) checkOutTree(ctx context.Context, commit delivery.Commit, dir string) error {
	err := x.e.Source.Checkout(ctx, commit.Tree, dir)
	source, ok := x.e.Source.(port.CommitFetcher)
	if !ok || !fault.Is(err, fault.NotFound) || commit.SHA == "" {
		return err
	}
	if err := source.Fetch(ctx, commit); err != nil {
		return err
	}
	return x.e.Source.Checkout(ctx, commit.Tree, dir)
}

// findCheckoutRoot returns the folder of the whole checkout, if the service's is one in
// it.
func (x *execution) findCheckoutRoot(ctx context.Context) (string, error) {
	if _, err := x.checkout(ctx); err != nil {
		return "", err
	}
	x.checkingOut.Lock()
	defer x.checkingOut.Unlock()
	return x.checkoutRoot, nil
}
