package render

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestSourceFS_ManyFiles: a file that is read again and again counts each time, as a
// kustomization can make it.
func TestSourceFS_ManyFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("a: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := openSource(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer source.root.Close()
	for n := range maxFiles + 1 {
		_, err = source.readFile("a.yaml")
		if refused := n == maxFiles; refused != (err != nil) {
			t.Fatalf("file %d: error = %v, want one: %v", n+1, err, refused)
		}
	}
	if !strings.Contains(err.Error(), "more than 10000 files") {
		t.Errorf("error = %v", err)
	}
}

// TestRender_LargeObjects: objects that no record and no cluster could hold are refused.
func TestRender_LargeObjects(t *testing.T) {
	dir := t.TempDir()
	deployment := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n  template:\n    spec:\n      containers:\n      - name: c\n        image: retail-api\n"
	for i := range 3 {
		text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a%d}\ndata: {a: %q}\n", i, strings.Repeat("x", 3<<20))
		if i == 0 {
			text = deployment + "---\n" + text
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := port.Manifests{Service: "retail-api", Dir: dir, Paths: []string{"."}, Image: delivery.Image{Repository: "retail-api", Digest: delivery.DigestOf(nil)}}
	if _, err := Render(t.Context(), m); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "and the limit is 8388608") {
		t.Errorf("error = %v, want %s", err, fault.Invalid)
	}
}
