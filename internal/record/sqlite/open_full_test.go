package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestReopenFull: records that could not be opened because the disk is full can be read,
// and a change says why it is refused. Other errors stay what they are.
func TestReopenFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slipway.db")
	s, err := Open(context.Background(), path, "shop", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		cause error
		reads bool
	}{
		{"no space for the index", coded(codeShmSize), true},
		{"no space for a page", coded(codeFull), true},
		{"a bad disk", coded(10), false},
		{"another error", errors.New("x"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := &database{path: path, clock: time.Now}
			if old.write, err = connect(path, 1, ""); err != nil {
				t.Fatal(err)
			}
			if old.readers, err = connect(path, 1, ""); err != nil {
				t.Fatal(err)
			}
			s, err := reopenFull(context.Background(), path, "shop", old, c.cause)
			if !c.reads {
				if !errors.Is(err, c.cause) {
					t.Errorf("error = %v, want %v", err, c.cause)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, _, err := s.Deployments().List(context.Background(), port.DeploymentFilter{}, port.Page{}); err != nil {
				t.Errorf("list: %v", err)
			}
			if err := s.db.change(context.Background(), "record x", nil); !fault.Is(err, fault.Exhausted) {
				t.Errorf("change: %v, want %s", err, fault.Exhausted)
			}
		})
	}
}
