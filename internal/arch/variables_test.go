package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var variablePattern = regexp.MustCompile(`SLIPWAY_[A-Z][A-Z_]*[A-Z]`)

// TestVariables_AreDocumented compares the environment variables in the code with the
// page about them.
func TestVariables_AreDocumented(t *testing.T) {
	const page = "../../docs/environment-variables.md"
	used := map[string]string{}
	for _, root := range []string{"../../cmd", "../../internal"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			isTest := strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/storetest/") || strings.Contains(path, "/porttest/") || strings.Contains(path, "/objecttest/") || strings.Contains(path, "/testdata/")
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || isTest {
				return err
			}
			text, err := os.ReadFile(path)
			for _, name := range variablePattern.FindAllString(string(text), -1) {
				used[name] = path
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	documented := variablePattern.FindAllString(string(text), -1)
	for name, path := range used {
		if !slices.Contains(documented, name) {
			t.Errorf("%s (%s) is missing in %s", name, path, page)
		}
	}
	for _, name := range documented {
		if used[name] == "" {
			t.Errorf("%s lists %s, which the code does not know", page, name)
		}
	}
	if len(used) < 10 {
		t.Errorf("only %d variables were found: the test looked in the wrong place", len(used))
	}
}
