//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/e2e/imageserver"
)

// registryEnv makes the test's own program a registry at that address.
const registryEnv = "SLIPWAY_E2E_REGISTRY"

func TestMain(m *testing.M) {
	if address := os.Getenv(registryEnv); address != "" {
		fmt.Fprintln(os.Stderr, "registry:", imageserver.ServeRegistry(address))
		os.Exit(1)
	}
	if info, err := os.Stat(slipwayBinary()); err != nil || !filepath.IsAbs(slipwayBinary()) || info.Mode()&0o111 == 0 {
		fmt.Fprintf(os.Stderr, "SLIPWAY_BIN=%q names no program by its absolute path: use `make e2e`\n", slipwayBinary())
		os.Exit(2)
	}
	code := m.Run()
	if err := stopCluster(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// slipwayBinary is the program under test.
func slipwayBinary() string { return os.Getenv("SLIPWAY_BIN") }
