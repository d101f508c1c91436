//go:build e2e

package kubernetes_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTargets_RandomManifests_Mutant proves that the random manifests find what they are
// for: a program that waits for the pods of workloads that a release dropped, before it
// removes them. It builds the tests once more, so that only the soak has time for it.
func TestTargets_RandomManifests_Mutant(t *testing.T) {
	if os.Getenv("SLIPWAY_E2E_MUTANT") == "" {
		t.Skip("SLIPWAY_E2E_MUTANT=1 runs the mutant")
	}
	const right = "rollout.OwnedByAny(pod, cond.names) && "
	source, err := filepath.Abs("operation.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), right); n != 1 {
		t.Fatalf("operation.go has %q %d times, want once: the mutant needs another change", right, n)
	}
	dir := t.TempDir()
	mutant, overlay := filepath.Join(dir, "operation.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(mutant, []byte(strings.Replace(string(text), right, "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{source: mutant}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-tags", "e2e", "-count=1", "-overlay", overlay, "-run", "^TestTargets_RandomManifests$", ".")
	cmd.Env = append(os.Environ(), "SLIPWAY_E2E_SEED=1", "SLIPWAY_E2E_SETS=5")
	said, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "no verdict in") {
		t.Errorf("the mutant passes, or fails otherwise (%v):\n%s", err, said)
	}
}
