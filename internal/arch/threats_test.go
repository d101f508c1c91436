package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestThreatModel_NamesTests: every promise of docs/threat-model.md names tests, and they
// exist.
func TestThreatModel_NamesTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	known := testNames(t, "../..")
	named, rows := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`"), 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| promise") {
			continue
		}
		rows++
		tests := named.FindAllStringSubmatch(line, -1)
		if len(tests) == 0 {
			t.Errorf("no test holds the promise %s", line)
		}
		for _, name := range tests {
			if !known[name[1]] {
				t.Errorf("the test %s does not exist: %s", name[1], line)
			}
		}
	}
	if rows < 20 {
		t.Errorf("%d promises found", rows)
	}
}

// testNames are the tests and fuzz targets of the repository.
func testNames(t *testing.T, root string) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	names := map[string]bool{}
	for _, dir := range []string{"internal", "e2e"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			code, err := os.ReadFile(path)
			for _, m := range declared.FindAllSubmatch(code, -1) {
				names[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}
