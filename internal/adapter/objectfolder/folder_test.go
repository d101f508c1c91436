package objectfolder_test

import (
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/objectfolder"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestObjectStore(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		porttest.TestObjectStore(t, func(t *testing.T) func() port.ObjectStore {
			dir := filepath.Join(t.TempDir(), "state")
			return func() port.ObjectStore { return objectfolder.Store{Dir: dir} }
		})
	})
}

func TestStore_KeyOutsideOfFolder(t *testing.T) {
	s := objectfolder.Store{Dir: t.TempDir()}
	for _, key := range []string{"../a", "/a", "a/../../b", ""} {
		if err := s.Create(t.Context(), key, nil); !fault.Is(err, fault.Internal) {
			t.Errorf("create %q: error = %v, want %s", key, err, fault.Internal)
		}
	}
}
