package attest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestReadDocument_TooLarge: an SBOM beyond the limit is not signed, nor cut.
func TestReadDocument_TooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sbom.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(maxSBOMBytes + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := readDocument(port.Document{Path: path}); !fault.Is(err, fault.Exhausted) {
		t.Errorf("error = %v, want %s", err, fault.Exhausted)
	}
}
