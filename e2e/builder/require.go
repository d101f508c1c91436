package builder

import (
	"errors"
	"os"
	"testing"
)

// Require finds the tools for a test. Where they can't be, the test is skipped.
func Require(t testing.TB) Tools {
	t.Helper()
	tools, err := Ensure(t.Context(), os.Stderr)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tools
}
