package job

import (
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Dir returns the folder in which a command runs: dir below the checkout.
func Dir(checkout, dir string) (string, error) {
	local := filepath.FromSlash(dir)
	if dir != "" && !filepath.IsLocal(local) {
		return "", fault.New(fault.Invalid, "dir %q is outside the repository", dir)
	}
	return filepath.Join(checkout, local), nil
}
