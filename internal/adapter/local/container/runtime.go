//go:build linux

package container

import (
	"errors"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

// The names of the runtimes.
const (
	RuntimeAuto       = ""
	RuntimeBubblewrap = "bwrap"
	RuntimeNamespaces = "namespaces"
	RuntimeNames      = `"bwrap", "namespaces", or empty to select one that works`
)

// SelectRuntime returns the runtime of that name for the containers of a state
// folder, after checking that it works on this machine. With RuntimeAuto an
// unprivileged user gets bwrap if it works, because more machines permit it, and
// otherwise namespaces; root gets namespaces, which can switch to the user of the
// image.
func SelectRuntime(name, dir string, initArgs []string, starter Starter) (Runtime, error) {
	root := sandbox.IsRoot()
	namespaces := Namespaces{InitArgs: initArgs, Starter: starter, Limiter: FindLimiter(root)}
	selected, err := selectRuntime(name, dir, namespaces, root)
	if err != nil {
		return nil, err
	}
	return networks{Runtime: selected, namespaces: namespaces, pasta: findPasta()}, nil
}

func selectRuntime(name, dir string, namespaces Namespaces, root bool) (Runtime, error) {
	starter, limiter := namespaces.Starter, namespaces.Limiter
	switch name {
	case RuntimeNamespaces:
		return namespaces, namespaces.Check()
	case RuntimeBubblewrap:
		return FindBubblewrap(ProcessMark(dir), starter, limiter)
	case RuntimeAuto:
	default:
		return nil, fault.New(fault.Invalid, "unknown runtime %q", name).Hint("use %s", RuntimeNames)
	}
	var bwrapErr error
	if !root {
		wrap, err := FindBubblewrap(ProcessMark(dir), starter, limiter)
		if err == nil {
			return wrap, nil
		}
		bwrapErr = err
	}
	if err := namespaces.Check(); err != nil {
		if fault.Is(bwrapErr, fault.Denied) {
			return nil, errors.Join(err, bwrapErr)
		}
		return nil, err
	}
	return namespaces, nil
}
