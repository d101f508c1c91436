package porttest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// FromScratch is a Dockerfile that takes no base image and runs nothing.
const FromScratch = "FROM scratch\nWORKDIR /app\nCOPY a.txt sub/ ./\nCMD [\"/app/a.txt\"]\n"

// DockerProject writes files and orders an image of the Dockerfile among them.
func DockerProject(t testing.TB, files map[string]string) port.BuildRequest {
	t.Helper()
	o := GoProject(t, files)
	if err := os.Remove(filepath.Join(o.Dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	o.Go, o.Dockerfile = "", &port.Dockerfile{Path: "Dockerfile"}
	return o
}

// TestDockerfileBuilder holds an adapter to port.Builder, for Dockerfiles. It
// needs no base image.
func TestDockerfileBuilder(t *testing.T, fresh func(t *testing.T) port.Builder) {
	small := func(t *testing.T) port.BuildRequest {
		t.Helper()
		return DockerProject(t, map[string]string{"Dockerfile": FromScratch, "a.txt": "a", "sub/b.txt": "b"})
	}
	t.Run("reproducible", func(t *testing.T) { testReproducible(t, fresh, small, otherUmask, "a.txt") })
	t.Run("whole layout", func(t *testing.T) { testWholeLayout(t, fresh(t), small(t), []string{"app/a.txt", "app/b.txt"}) })
	t.Run("broken Dockerfile", func(t *testing.T) { testBrokenDockerfile(t, fresh(t)) })
	t.Run("bad orders", func(t *testing.T) { testBadDockerfileOrders(t, fresh(t), small) })
	t.Run("cancelled", func(t *testing.T) { testBuildCancelled(t, fresh(t), small(t)) })
	t.Run("fingerprint", func(t *testing.T) { testFingerprint(t, fresh(t), "buildkit ") })
}

// otherUmask is the checkout of another user, on another day.
func otherUmask(t *testing.T, o port.BuildRequest) {
	err := filepath.WalkDir(o.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		long := time.Date(2019, 4, 1, 12, 0, 0, 0, time.UTC)
		return errors.Join(os.Chmod(path, mode), os.Chtimes(path, long, long))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testBrokenDockerfile(t *testing.T, b port.Builder) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown instruction": {"FROM scratch\n\nCOPPY a b\n", "deploy/Dockerfile:3: unknown instruction: COPPY"},
		"missing file":        {"FROM scratch\nCOPY nowhere.txt /\n", "deploy/Dockerfile:2: "},
	} {
		o := DockerProject(t, map[string]string{"deploy/Dockerfile": c.text})
		o.Dockerfile.Path = "deploy/Dockerfile"
		writeFile(t, filepath.Join(o.Layout, "keep"), []byte("x"))
		var log bytes.Buffer
		_, err := b.Build(t.Context(), o, &log)
		if !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Build = %v, want failed, with %q", name, err, c.want)
		}
		if log.Len() == 0 {
			t.Errorf("%s: the log is empty", name)
		}
		if _, err := os.Stat(filepath.Join(o.Layout, "index.json")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: there is an image: %v", name, err)
		}
	}
}

func testBadDockerfileOrders(t *testing.T, b port.Builder, project func(t *testing.T) port.BuildRequest) {
	outside := t.TempDir()
	writeFile(t, filepath.Join(outside, "Dockerfile"), []byte(FromScratch))
	for name, change := range map[string]func(o port.BuildRequest){
		"no such file":           func(o port.BuildRequest) { o.Dockerfile.Path = "nowhere/Dockerfile" },
		"nothing":                func(o port.BuildRequest) { o.Dockerfile.Path = "" },
		"a folder":               func(o port.BuildRequest) { o.Dockerfile.Path = "sub" },
		"above the repository":   func(o port.BuildRequest) { o.Dockerfile.Path = "../Dockerfile" },
		"absolute":               func(o port.BuildRequest) { o.Dockerfile.Path = filepath.Join(outside, "Dockerfile") },
		"no such context":        func(o port.BuildRequest) { o.Dockerfile.Context = "nowhere" },
		"a file as context":      func(o port.BuildRequest) { o.Dockerfile.Context = "a.txt" },
		"a context above":        func(o port.BuildRequest) { o.Dockerfile.Context = ".." },
		"a link to another file": func(o port.BuildRequest) { o.Dockerfile.Path = "link/Dockerfile" },
		"a link as context":      func(o port.BuildRequest) { o.Dockerfile.Context = "link" },
	} {
		o := project(t)
		if err := os.Symlink(outside, filepath.Join(o.Dir, "link")); err != nil {
			t.Fatal(err)
		}
		change(o)
		if _, err := b.Build(t.Context(), o, io.Discard); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v, want invalid, with a hint", name, err)
		}
	}
}
