//go:build linux

package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestTarget_LogAnchor needs no supervisor. A release that was deployed is taken down in
// TestTarget_Remove_KeepsAnchor.
func TestTarget_LogAnchor(t *testing.T) {
	porttest.TestLogAnchor(t, func(t *testing.T) porttest.LogAnchorFixture {
		dir := filepath.Join(t.TempDir(), "local")
		return porttest.LogAnchorFixture{
			Open: func(*testing.T) port.LogAnchor { return local.New(local.Config{Dir: dir}) },
			Damage: func(t *testing.T) {
				if err := os.WriteFile(filepath.Join(dir, "anchors.json"), []byte("{"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			Remove: func(t *testing.T) {
				if err := local.New(local.Config{Dir: dir}).Remove(t.Context(), "sample", "prod"); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestTarget_Remove_KeepsAnchor(t *testing.T) {
	target := newTestTarget(t, nil)
	o := target.request(porttest.Sample{Version: "a"})
	if _, err := target.Stage(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	want := port.Anchor{Mark: port.LogMark{Log: "A", Entry: 7}}
	if err := target.SetAnchor(t.Context(), o.Service, o.Environment, port.LogMark{}, want); err != nil {
		t.Fatal(err)
	}
	if err := target.Remove(t.Context(), o.Service, o.Environment); err != nil {
		t.Fatal(err)
	}
	if got, err := target.Anchor(t.Context(), o.Service, o.Environment); err != nil || got != want {
		t.Errorf("anchor = %v, %v, want %v", got, err, want)
	}
}
