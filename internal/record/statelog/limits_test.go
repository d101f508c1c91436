package statelog

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/memorytest"
)

// TestInflate_Bomb: rows that are packed into half a megabyte unpack to their limit at
// most.
func TestInflate_Bomb(t *testing.T) {
	const limit = maxUnpacked / 256
	memorytest.Run(t, 10*limit, func() {
		packed, err := deflate(make([]byte, 16*limit))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := inflate(packed, limit); err == nil || !strings.Contains(err.Error(), "more than 4194304 bytes") {
			t.Errorf("%d bytes: error = %v, want one of the size", len(packed), err)
		}
	})
}
