package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci/modelfiles"
)

func TestUsage(t *testing.T) {
	digest := modelfiles.Digest(nil)
	cases := map[string]struct {
		args []string
		env  string
		code int
		said string
	}{
		"no digest":        {nil, "", 2, "MODEL_DIGEST"},
		"no digest's form": {[]string{"-digest", "v1"}, digest, 2, `invalid digest "v1"`},
		"unknown flag":     {[]string{"-x"}, digest, 2, "-x"},
		"a word":           {[]string{"x"}, digest, 2, `"x"`},
		"help":             {[]string{"-h"}, digest, 2, "usage: slipway-model"},
		"no folder":        {[]string{"-from", "/nowhere at all"}, digest, 1, "open /nowhere at all: no such file"},
	}
	for name, c := range cases {
		var stdout, stderr bytes.Buffer
		code := run(c.args, func(key string) string { return map[string]string{"MODEL_DIGEST": c.env}[key] }, &stdout, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.said) || strings.Count(stderr.String(), "\n") != 1 || stdout.Len() > 0 {
			t.Errorf("%s: %d, %q, %q; want %d and %q in one line", name, code, stdout.String(), stderr.String(), c.code, c.said)
		}
	}
}

// TestPrivileges runs the program as whoever runs the test: root becomes nobody,
// and says so when nobody may not write.
func TestPrivileges(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the program is for Linux")
	}
	if os.Getuid() != 0 {
		t.Skip("only root has privileges to drop")
	}
	dir := t.TempDir()
	program, from, to := filepath.Join(dir, "slipway-model"), filepath.Join(dir, "model"), filepath.Join(dir, "target")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	manifest := `{"mediaType":"` + modelfiles.ManifestType + `","artifactType":"` + modelfiles.ArtifactType + `","layers":[{"digest":"` + modelfiles.Digest([]byte("x")) + `","size":1,"annotations":{"` + modelfiles.TitleKey + `":"a"}}]}`
	for _, err := range []error{
		os.Chmod(filepath.Dir(dir), 0o755), os.MkdirAll(filepath.Join(from, "files"), 0o755), os.Mkdir(to, 0o755),
		os.WriteFile(filepath.Join(from, "manifest.json"), []byte(manifest), 0o444), os.WriteFile(filepath.Join(from, "files", "a"), []byte("x"), 0o444),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	start := func() (string, error) {
		out, err := exec.CommandContext(t.Context(), program, "-from", from, "-to", to, "-digest", modelfiles.Digest([]byte(manifest))).CombinedOutput()
		return string(out), err
	}
	if out, err := start(); err == nil || !strings.Contains(out, "copy a to "+to+": permission denied: user 65532 needs write access") {
		t.Errorf("into root's folder: %v, %q", err, out)
	}
	if err := os.Chmod(to, 0o777); err != nil {
		t.Fatal(err)
	}
	if out, err := start(); err != nil {
		t.Errorf("into everybody's folder: %v, %q", err, out)
	}
}
