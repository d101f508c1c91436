package anchore

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Extension describes the scanner to the catalog.
func Extension() extension.Scanner {
	return extension.Scanner{
		Kind: "grype", Description: "built in",
		New: func(h extension.Host) (port.Scanner, error) {
			c := configFrom(os.Getenv, os.UserCacheDir)
			c.Archives = h.ScanArchives
			return New(c), nil
		},
	}
}

// cacheVariable names the folder of all caches of the user's.
const cacheVariable = "SLIPWAY_CACHE_DIR"

// NewFromEnv makes a Scanner with the database of this machine.
func NewFromEnv() *Scanner { return New(configFrom(os.Getenv, os.UserCacheDir)) }

// configFrom finds the folder of the database, and where it comes from. A machine
// without a home keeps it where it keeps temporary files, in a folder of the user's own:
// every user writes there, and a database without findings lets every image pass.
func configFrom(getenv func(string) string, cacheDir func() (string, error)) Config {
	c := Config{Dir: getenv(DatabaseDirVariable), URL: getenv(DatabaseURLVariable)}
	if c.Dir != "" {
		return c
	}
	base := getenv(cacheVariable)
	if base == "" {
		user, err := cacheDir()
		if err != nil {
			c.Dir, c.AmongOthers = filepath.Join(os.TempDir(), fmt.Sprintf("slipway-vulnerabilities-%d", os.Geteuid())), true
			return c
		}
		base = filepath.Join(user, "slipway")
	}
	c.Dir = filepath.Join(base, "vulnerabilities")
	return c
}
