package job

import (
	"cmp"
	"context"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// BoxHere returns what a command runs in on this machine: OwnBox or none. Whether there
// is one in place of AutoBox is known only here.
func BoxHere(ctx context.Context, c port.Commands, r step.Request, kind step.BoxKind) (step.BoxKind, error) {
	if kind != step.AutoBox {
		return kind, nil
	}
	checker, ok := c.(port.BoxChecker)
	if !ok {
		return "", nil
	}
	err := checker.CheckBox(ctx)
	if fault.Is(err, fault.Denied) {
		r.Logf("without a box: %v", err)
		return "", nil
	}
	return step.OwnBox, err
}

// InBox returns the box of a step's command, or nil: the command works on the checkout
// and in the step's own folder, and reads what it is given. What a pull request leaves
// in the caches is found by pull requests only.
func InBox(ctx context.Context, r step.Request, kind step.BoxKind, checkout string, read ...string) (*port.Box, error) {
	if kind == "" {
		return nil, nil
	}
	if r.CheckoutRoot != nil {
		root, err := r.CheckoutRoot(ctx)
		if err != nil {
			return nil, err
		}
		checkout = cmp.Or(root, checkout)
	}
	return &port.Box{Write: []string{checkout, r.WorkDir}, Read: read, Cache: filepath.Join(cmp.Or(r.CacheDir, r.ArtifactsDir), "box")}, nil
}
