package scan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// TestReadVEX_TooLarge: documents that suppress findings are read whole, or the scan has
// no verdict.
func TestReadVEX_TooLarge(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "vex.json"), make([]byte, maxVEXBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := readVEX(root, "vex.json"); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("error = %v, want one of the size", err)
	}
	one := map[string]any{"vulnerability": map[string]any{"name": "CVE-2026-1"}, "products": []any{map[string]any{"@id": "pkg:deb/debian/a@1"}}, "status": "fixed"}
	raw, err := json.Marshal(map[string]any{
		"@context": vexContext, "@id": "x", "author": "a", "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": many(one, maxVEXStatements+1),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseVEX(raw, delivery.Image{}); err == nil || !strings.Contains(err.Error(), "too many statements") {
		t.Errorf("error = %v, want one of the statements", err)
	}
}

func many(one any, n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = one
	}
	return all
}
