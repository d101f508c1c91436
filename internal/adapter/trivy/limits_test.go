package trivy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

// TestReadReport_TooLarge: a report beyond the limit is no verdict.
func TestReadReport_TooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(maxReport + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := readReport(path); !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), "512 MB is too large") {
		t.Errorf("error = %v, want %s", err, fault.Exhausted)
	}
}
