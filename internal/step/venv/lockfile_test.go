package venv

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

var update = flag.Bool("update", false, "write the golden files")

func testdata(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestConvert_RealLockFiles reads lock files that the tools wrote, shortened.
func TestConvert_RealLockFiles(t *testing.T) {
	for file, kind := range map[string]string{
		"poetry-2.1.lock": step.PoetryLock, // Poetry 2.5
		"poetry-2.0.lock": step.PoetryLock, // Poetry 1.8: without groups and markers
		"Pipfile.lock":    step.PipfileLock,
	} {
		t.Run(file, func(t *testing.T) {
			got, err := convert(kind, file, [][]byte{testdata(t, file), testdata(t, "pyproject.toml")})
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", file+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got.requirements()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(testdata(t, file+".txt")), got.requirements()); diff != "" {
				t.Errorf("requirements (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConvert_Forms(t *testing.T) {
	const hash = `files = [{file = "a.whl", hash = "sha256:0123"}]`
	poetry := func(version, packages string) string {
		return packages + "\n[metadata]\nlock-version = \"" + version + "\"\n"
	}
	pipfile := func(sources, packages string) string {
		return `{"_meta": {"pipfile-spec": 6, "sources": [` + sources + `]}, "default": {` + packages + `}}`
	}
	one := "[[package]]\nname = \"A_b\"\nversion = \"1.0+cpu\"\ngroups = [\"main\"]\n"
	cases := []struct{ name, kind, text, project, want, broken string }{
		{name: "an empty project", kind: step.PoetryLock, text: poetry("2.1", "package = []")},
		{name: "one package", kind: step.PoetryLock, text: poetry("2.1", one+hash), want: "A_b==1.0+cpu --hash=sha256:0123\n"},
		{name: "from a URL", kind: step.PoetryLock, text: poetry("2.1", one+hash+"\n[package.source]\ntype = \"url\"\nurl = \"https://x.example.com/a.whl\""), want: "A_b @ https://x.example.com/a.whl --hash=sha256:0123\n"},
		{name: "from another index", kind: step.PoetryLock, text: poetry("2.1", one+hash+"\n[package.source]\ntype = \"legacy\"\nurl = \"https://x.example.com/simple\""), want: "--extra-index-url https://x.example.com/simple\nA_b==1.0+cpu --hash=sha256:0123\n"},
		{name: "of an extra", kind: step.PoetryLock, text: poetry("2.1", "[[package]]\nname = \"a\"\nversion = \"1\"\noptional = true\ngroups = [\"main\"]\n"+hash)},
		{name: "markers by group", kind: step.PoetryLock, text: poetry("2.1", "[[package]]\nname = \"a\"\nversion = \"1\"\ngroups = [\"main\", \"dev\"]\nmarkers = {main = \"python_version < '3.9'\", dev = \"os_name == 'nt'\"}\n"+hash), want: "a==1 ; (python_version < '3.9') or (os_name == 'nt') --hash=sha256:0123\n"},
		{name: "markers of one group only", kind: step.PoetryLock, text: poetry("2.1", "[[package]]\nname = \"a\"\nversion = \"1\"\ngroups = [\"main\", \"dev\"]\nmarkers = {main = \"python_version < '3.9'\"}\n"+hash), want: "a==1 --hash=sha256:0123\n"},
		{name: "lock version 1.1", kind: step.PoetryLock, text: "[[package]]\nname = \"a\"\nversion = \"1\"\ncategory = \"main\"\n[metadata]\nlock-version = \"1.1\"\n[metadata.files]\na = [{file = \"a.whl\", hash = \"sha256:0123\"}]\n", project: "[project]\ndependencies = [\"a>=1; python_version > '3'\"]\n", want: "a==1 ; python_version > '3' --hash=sha256:0123\n"},
		{name: "two versions", kind: step.PoetryLock, text: poetry("2.1", "[[package]]\nname = \"a\"\nversion = \"1\"\ngroups = [\"main\"]\nmarkers = \"python_version < '3.9'\"\n"+hash+"\n[[package]]\nname = \"a\"\nversion = \"2\"\ngroups = [\"main\"]\nmarkers = \"python_version >= '3.9'\"\n"+hash), want: "a==1 ; python_version < '3.9' --hash=sha256:0123\na==2 ; python_version >= '3.9' --hash=sha256:0123\n"},
		{name: "from git", kind: step.PoetryLock, text: poetry("2.1", one+hash+"\n[package.source]\ntype = \"git\"\nurl = \"https://x\""), broken: "package A_b comes from git"},
		{name: "from the repository", kind: step.PoetryLock, text: poetry("2.1", one+hash+"\n[package.source]\ntype = \"directory\"\nurl = \"../a\""), broken: "package A_b comes from the repository"},
		{name: "without hashes", kind: step.PoetryLock, text: poetry("2.1", one), broken: "package A_b has no hashes"},
		{name: "a future lock version", kind: step.PoetryLock, text: poetry("3.0", one+hash), broken: `unsupported lock version "3.0"`},
		{name: "not TOML", kind: step.PoetryLock, text: "[[package", broken: "the lock file can't be used"},
		{name: "an option in a name", kind: step.PoetryLock, text: poetry("2.1", strings.Replace(one, "A_b", "--index-url", 1)+hash), broken: "is not the name of a package"},
		{name: "a line in markers", kind: step.PoetryLock, text: poetry("2.1", one+`markers = "os_name == 'nt'\n--index-url x"`+"\n"+hash), broken: "invalid markers"},
		{name: "a private index first", kind: step.PipfileLock, text: pipfile(`{"url": "https://x.example.com/simple"}`, `"a": {"version": "==1", "hashes": ["sha256:0123"]}`), want: "--index-url https://x.example.com/simple\na==1 --hash=sha256:0123\n"},
		{name: "a private index besides PyPI", kind: step.PipfileLock, text: pipfile(`{"url": "https://pypi.org/simple/"}, {"url": "https://u:${TOKEN}@x.example.com/simple"}`, `"a": {"version": "==1", "hashes": ["sha256:0123"]}`), want: "--extra-index-url https://u:${TOKEN}@x.example.com/simple\na==1 --hash=sha256:0123\n"},
		{name: "Pipenv from git", kind: step.PipfileLock, text: pipfile("", `"a": {"git": "https://x", "ref": "0123"}`), broken: "comes from git"},
		{name: "Pipenv from the repository", kind: step.PipfileLock, text: pipfile("", `"a": {"path": ".", "editable": true}`), broken: "comes from the repository"},
		{name: "Pipenv without a version", kind: step.PipfileLock, text: pipfile("", `"a": {"version": "*"}`), broken: "no exact version"},
		{name: "another Pipfile", kind: step.PipfileLock, text: `{}`, broken: "unsupported version 0"},
		{name: "conda for other platforms", kind: step.CondaLock, text: strings.ReplaceAll(condaText, "PLATFORM", "win-99"), broken: "no packages for the platform"},
		{name: "conda without Python", kind: step.CondaLock, text: strings.ReplaceAll(strings.ReplaceAll(condaText, "PLATFORM", condaPlatform()), "name: python", "name: r-base"), broken: "python is not among the packages"},
		{name: "another conda-lock", kind: step.CondaLock, text: "version: 2\n", broken: "unsupported version 2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := convert(c.kind, "a.lock", [][]byte{[]byte(c.text), []byte(c.project)})
			if c.broken != "" {
				if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "a.lock: ") || !strings.Contains(err.Error(), c.broken) {
					t.Errorf("error %v, want one with %q", err, c.broken)
				}
				return
			}
			if err != nil || got.requirements() != c.want {
				t.Errorf("requirements %q, %v, want %q", got.requirements(), err, c.want)
			}
		})
	}
}

func FuzzConvert(f *testing.F) {
	f.Add(0, testRead("poetry-2.1.lock"), testRead("pyproject.toml"))
	f.Add(0, testRead("poetry-2.0.lock"), testRead("pyproject.toml"))
	f.Add(1, testRead("Pipfile.lock"), []byte(nil))
	f.Add(2, []byte(condaText), []byte(nil))
	kinds := []string{step.PoetryLock, step.PipfileLock, step.CondaLock}
	f.Fuzz(func(t *testing.T, kind int, text, project []byte) {
		got, err := convert(kinds[uint(kind)%3], "a.lock", [][]byte{text, project})
		if err != nil {
			return
		}
		for line := range strings.Lines(got.requirements()) {
			if !strings.Contains(line, " --hash=") && !strings.HasPrefix(line, "--extra-index-url http") && !strings.HasPrefix(line, "--index-url http") {
				t.Errorf("not a pinned package: %q", line)
			}
		}
	})
}

func testRead(name string) []byte {
	text, _ := os.ReadFile(filepath.Join("testdata", name))
	return text
}
