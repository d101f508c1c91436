package evaluate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

// TestReadMetrics_TooLarge: metrics beyond the limit are no verdict, and not cut.
func TestReadMetrics_TooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.json")
	text := `{"accuracy": 1` + strings.Repeat(" ", maxMetricsBytes) + "}"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readMetrics(path); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "more than 4194304") {
		t.Errorf("error = %v, want %s", err, fault.Unavailable)
	}
}
