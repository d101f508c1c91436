package venv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		full := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestRecipeKey_EveryDifferenceCounts(t *testing.T) {
	files := map[string]string{
		"a/r.txt":    "# -r none.txt\nfoo==1 # -e .\n-r base.txt\n--constraint=../c.txt\n-c  ../c.txt\n",
		"a/base.txt": "bar==2; python_version < '3'\n-r r.txt\n", // in a circle
		"c.txt":      "foo<2\n",
		"other.txt":  "x\n",
	}
	first, err := readRequirements(tree(t, files), "a/r.txt")
	if err != nil || strings.Join(first.names, " ") != "a/r.txt a/base.txt c.txt" {
		t.Fatalf("%v, %v", first.names, err)
	}
	for name, same := range map[string]bool{"a/r.txt": false, "a/base.txt": false, "c.txt": false, "other.txt": true} {
		before := files[name]
		files[name] += "\nmore==1\n"
		again, err := readRequirements(tree(t, files), "a/r.txt")
		if err != nil || (again.digest == first.digest) != same {
			t.Errorf("%s changed: same = %v, %v", name, again.digest == first.digest, err)
		}
		files[name] = before
	}
}

func TestReadRequirements_LockAndProject(t *testing.T) {
	files := map[string]string{"uv.lock": "version = 1\n", "pyproject.toml": "[project]\n"}
	first, err := readRequirements(tree(t, files), "uv.lock")
	if err != nil || len(first.names) != 2 {
		t.Fatalf("%v, %v", first, err)
	}
	files["pyproject.toml"] += "x = 1\n"
	if again, err := readRequirements(tree(t, files), "uv.lock"); err != nil || again.digest == first.digest {
		t.Errorf("another project has the same digest (%v)", err)
	}
	delete(files, "pyproject.toml")
	if _, err := readRequirements(tree(t, files), "uv.lock"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a lock without a project: %v", err)
	}
}

func TestReadRequirements_Refused(t *testing.T) {
	cases := map[string]string{
		"-e .":                     "code from the repository",
		"--editable=./lib":         "code from the repository",
		"./lib":                    "code from the repository",
		".":                        "code from the repository",
		".[dev]":                   "code from the repository",
		"lib @ file:///srv/lib":    "code from the repository",
		"/srv/lib":                 "code from the repository",
		"-r ../../etc/passwd":      "not in the repository",
		"-r /etc/passwd":           "not in the repository",
		"-c https://example.com/c": "not in the repository",
		"-r none.txt":              "file none.txt not found",
	}
	for line, says := range cases {
		t.Run(line, func(t *testing.T) {
			_, err := readRequirements(tree(t, map[string]string{"r.txt": "foo==1\n" + line + "\n"}), "r.txt")
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "r.txt:2: ") {
				t.Errorf("%q: %v", line, err)
			}
		})
	}
	root := tree(t, map[string]string{"x": ""})
	outside := tree(t, map[string]string{"secret.txt": "foo\n"})
	if err := os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(root, "r.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err := readRequirements(root, "r.txt"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a link out of the repository: %v", err)
	}
	if _, err := readRequirements(root, "none.txt"); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("no file: %v", err)
	}
}

func FuzzRequirements(f *testing.F) {
	f.Add("foo==1\n-r r.txt\n-c x\n")
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(root, "r.txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := readRequirements(root, "r.txt")
		if err == nil && (len(got.names) != 1 || len(got.digest) != 64) {
			t.Errorf("%+v", got)
		}
	})
}
