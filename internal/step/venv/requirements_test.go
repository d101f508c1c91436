package venv

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
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
	first, err := readRequirements(tree(t, files), step.PythonParams{Requirements: "a/r.txt"})
	if err != nil || strings.Join(first.names, " ") != "a/r.txt a/base.txt c.txt" {
		t.Fatalf("files = %q, error = %v, want a/r.txt, a/base.txt and c.txt", first.names, err)
	}
	for name, same := range map[string]bool{"a/r.txt": false, "a/base.txt": false, "c.txt": false, "other.txt": true} {
		t.Run(name, func(t *testing.T) {
			changed := maps.Clone(files)
			changed[name] += "\nmore==1\n"
			again, err := readRequirements(tree(t, changed), step.PythonParams{Requirements: "a/r.txt"})
			if err != nil || (again.digest == first.digest) != same {
				t.Errorf("same digest after the change = %v, error = %v, want %v", again.digest == first.digest, err, same)
			}
		})
	}
}

func TestReadRequirements_LockAndProject(t *testing.T) {
	files := map[string]string{"uv.lock": "version = 1\n", "pyproject.toml": "[project]\n"}
	first, err := readRequirements(tree(t, files), step.PythonParams{Lock: "uv.lock"})
	if err != nil || len(first.names) != 2 {
		t.Fatalf("files = %q, error = %v, want the lock and the project", first.names, err)
	}
	files["pyproject.toml"] += "x = 1\n"
	if again, err := readRequirements(tree(t, files), step.PythonParams{Lock: "uv.lock"}); err != nil || again.digest == first.digest {
		t.Errorf("digest of another project = %s, error = %v, want another than before", again.digest, err)
	}
	delete(files, "pyproject.toml")
	if _, err := readRequirements(tree(t, files), step.PythonParams{Lock: "uv.lock"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("error of a lock without a project = %v, want kind %s", err, fault.Invalid)
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
	for line, wantErr := range cases {
		t.Run(line, func(t *testing.T) {
			_, err := readRequirements(tree(t, map[string]string{"r.txt": "foo==1\n" + line + "\n"}), step.PythonParams{Requirements: "r.txt"})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), wantErr) || !strings.HasPrefix(err.Error(), "r.txt:2: ") {
				t.Errorf("error = %v, want kind %s at r.txt:2 with %q", err, fault.Invalid, wantErr)
			}
		})
	}
	root := tree(t, map[string]string{"x": ""})
	outside := tree(t, map[string]string{"secret.txt": "foo\n"})
	if err := os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(root, "r.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err := readRequirements(root, step.PythonParams{Requirements: "r.txt"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("error of a link out of the repository = %v, want kind %s", err, fault.Invalid)
	}
	if _, err := readRequirements(root, step.PythonParams{Requirements: "none.txt"}); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("error of a missing file = %v, want kind %s with a hint", err, fault.Invalid)
	}
}

func FuzzRequirements(f *testing.F) {
	f.Add("foo==1\n-r r.txt\n-c x\n")
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(root, "r.txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := readRequirements(root, step.PythonParams{Requirements: "r.txt"})
		if err == nil && (len(got.names) != 1 || len(got.digest) != 64) {
			t.Errorf("requirements = %+v, want one file and a digest of 64 digits", got)
		}
	})
}
