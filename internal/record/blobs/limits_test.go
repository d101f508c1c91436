package blobs_test

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/blobs"
)

// TestStoreFiles_TooLarge: a list of files that no folder has is not read.
func TestStoreFiles_TooLarge(t *testing.T) {
	objects := &fake.ObjectStore{}
	raw := make([]byte, blobs.MaxList+1)
	if err := objects.Create(t.Context(), blobs.Key(delivery.DigestOf(raw)), raw); err != nil {
		t.Fatal(err)
	}
	_, err := (&blobs.Store{Objects: objects}).Files(t.Context(), delivery.DigestOf(raw))
	if !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "67108865 bytes") {
		t.Errorf("error = %v, want %s", err, fault.Corrupt)
	}
}
