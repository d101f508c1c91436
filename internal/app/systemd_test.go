package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

// systemd accepts the unit, whatever is in the paths.
func TestUnitText_Valid(t *testing.T) {
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	for _, repository := range []string{"plain", "with space", "100%n $HOME"} {
		t.Run(repository, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), repository)
			program := filepath.Join(dir, "slipway")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "slipway-web.service")
			text := unitText("slipway-web", program, Workspace{Repository: dir, Home: filepath.Join(dir, ".slipway")}, "/etc/slipway/web.env", true)
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(verify, "verify", "--man=no", path).CombinedOutput(); err != nil || strings.Contains(string(out), "slipway-web.service") {
				t.Errorf("systemd-analyze verify: %v\n%s%s", err, out, text)
			}
		})
	}
}

// The unit of another folder stays; that of the same one is replaced.
func TestWriteUnit_ReplacesItsOwnOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "user", "slipway-web.service")
	unit := func(repository string) string {
		return unitText("slipway-web", "/usr/bin/slipway", Workspace{Repository: repository, Home: repository + "/.slipway"}, "/e", false)
	}
	for range 2 {
		if err := writeUnit(path, "/a/b", unit("/a/b")); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeUnit(path, "/a", unit("/a")); !fault.Is(err, fault.Conflict) || fault.HintOf(err) == "" {
		t.Errorf("writeUnit over the unit of another folder = %v, want a conflict with a hint", err)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != unit("/a/b") {
		t.Errorf("the unit is %s, %v; want that of /a/b", raw, err)
	}
}
