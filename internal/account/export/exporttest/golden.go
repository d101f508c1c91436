package exporttest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/account/export"
)

var update = flag.Bool("update", false, "write the golden files")

// Golden compares files with those in the package's testdata, or writes them.
func Golden(t *testing.T, files []export.File) {
	t.Helper()
	for _, f := range files {
		golden := filepath.Join("testdata", f.Name)
		if *update {
			if err := os.WriteFile(golden, []byte(f.Text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), f.Text); diff != "" {
			t.Errorf("%s (-want +got), renew it with -update:\n%s", f.Name, diff)
		}
	}
}
