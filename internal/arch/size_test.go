package arch_test

import (
	"os"
	"testing"
)

// maxBinary bounds the program that is shipped, in bytes.
const maxBinary = 150e6

// TestBinary_Size holds what decision 38 promises: a library that brings a lot along
// is noticed when it comes. `make test` names the program.
func TestBinary_Size(t *testing.T) {
	path := os.Getenv("SLIPWAY_BIN")
	if path == "" {
		t.Skip("SLIPWAY_BIN names no program")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MB", float64(info.Size())/1e6)
	if info.Size() > maxBinary {
		t.Errorf("%s has %.1f MB, at most %.0f are allowed: see docs/decisions/0038", path, float64(info.Size())/1e6, maxBinary/1e6)
	}
}
