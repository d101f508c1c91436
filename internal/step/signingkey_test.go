package step

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

// TestLoadSigningKey_TooLarge: a file that is too large for a key is not taken for one, and not
// cut to one.
func TestLoadSigningKey_TooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, make([]byte, maxSigningKey+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSigningKey(path, t.TempDir()); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Errorf("error = %v, want %s", err, fault.Invalid)
	}
}
