//go:build linux

package container

import (
	"errors"
	"os"

	"github.com/slipway-cd/slipway/internal/fault"
)

// The runtimes by name.
const (
	RuntimeAuto       = ""
	RuntimeBubblewrap = "bwrap"
	RuntimeNamespaces = "namespaces"
	RuntimeNames      = `"bwrap", "namespaces", or empty to select one that works`
)

// SelectRuntime finds the runtime of that name for the boxes of a state folder, and makes
// sure that it works here. Left
// to choose, an ordinary user gets bwrap where it works (it is allowed on more
// machines) and our own namespaces otherwise; root gets our own, which can
// change to the image's real user.
func SelectRuntime(name, dir string, initArgs []string, spawner *Spawner) (Runtime, error) {
	root := os.Geteuid() == 0
	limiter := FindLimiter(root)
	namespaces := Namespaces{InitArgs: initArgs, Spawner: spawner, Limiter: limiter}
	switch name {
	case RuntimeNamespaces:
		return namespaces, namespaces.Check()
	case RuntimeBubblewrap:
		return FindBubblewrap(ProcessMark(dir), spawner, limiter)
	case RuntimeAuto:
	default:
		return nil, fault.New(fault.Invalid, "unknown runtime %q", name).Hint("use %s", RuntimeNames)
	}
	var bwrapErr error
	if !root {
		wrap, err := FindBubblewrap(ProcessMark(dir), spawner, limiter)
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
