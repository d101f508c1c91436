package anchore

import (
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
// without a home keeps it where it keeps temporary files.
func configFrom(getenv func(string) string, cacheDir func() (string, error)) Config {
	dir := getenv(DatabaseDirVariable)
	if dir == "" {
		base := getenv(cacheVariable)
		if base == "" {
			user, err := cacheDir()
			if err != nil {
				user = os.TempDir()
			}
			base = filepath.Join(user, "slipway")
		}
		dir = filepath.Join(base, "vulnerabilities")
	}
	return Config{Dir: dir, URL: getenv(DatabaseURLVariable)}
}
