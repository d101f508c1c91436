package sigstore

import (
	"strings"
	"testing"
)

// TestParseBundle_TooLarge: a bundle beyond the limit is not parsed.
func TestParseBundle_TooLarge(t *testing.T) {
	if _, err := parseBundle(make([]byte, maxBundle+1)); err == nil || !strings.Contains(err.Error(), "67108865 bytes, which is too large") {
		t.Errorf("error = %v, want one of the size", err)
	}
}
