package git_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/git"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// pointerTo is what git has of a file in LFS.
func pointerTo(content string) (text, oid string) {
	sum := sha256.Sum256([]byte(content))
	oid = hex.EncodeToString(sum[:])
	return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid, len(content)), oid
}

// commitPointer commits a pointer below models, which LFS is enabled for, and returns
// the tree.
func commitPointer(t *testing.T, r porttest.SourceFixture, name, content string) (tree, oid string) {
	t.Helper()
	text, oid := pointerTo(content)
	write(t, filepath.Join(r.Dir, "models", ".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n")
	write(t, filepath.Join(r.Dir, name), text)
	r.Commit(t)
	c, err := r.Source.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return c.Tree, oid
}

// keep puts a content where git-lfs keeps it in a clone.
func keep(t *testing.T, dir, oid, content string) {
	t.Helper()
	common := runGit(t, dir, "rev-parse", "--path-format=absolute", "--git-common-dir")
	write(t, filepath.Join(common, "lfs", "objects", oid[:2], oid[2:4], oid), content)
}

// fakeLFS stands for git-lfs: it downloads from a folder. Without one it is missing,
// even if this machine has it.
func fakeLFS(t *testing.T, store string) {
	t.Helper()
	bin := t.TempDir()
	script := "#!/bin/sh\nexit 1\n"
	if store != "" {
		script = "#!/bin/sh\ncase $1 in version) echo git-lfs/3;;\nsmudge) oid=$(sed -n 's/oid sha256://p'); cat \"" + store + "/$oid\";;\nesac\n"
	}
	write(t, filepath.Join(bin, "git-lfs"), script)
	if err := os.Chmod(filepath.Join(bin, "git-lfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// checkTree checks a tree as a plan does.
func checkTree(t *testing.T, r porttest.SourceFixture, tree string) error {
	t.Helper()
	files, err := r.Source.Files(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	return r.Source.(git.Source).CheckTree(t.Context(), tree, files)
}

func holds(t *testing.T, file, want string) {
	t.Helper()
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s holds %.60q (%v), want %q", filepath.Base(file), got, err, want)
	}
}

func TestCheckout_LFSFromTheClone(t *testing.T) {
	fakeLFS(t, "")
	for _, folder := range []string{"", "services/api"} {
		t.Run(folder, func(t *testing.T) {
			r := newRepository(t, folder)
			tree, oid := commitPointer(t, r, "models/a.bin", "weights")
			keep(t, r.Dir, oid, "weights")
			out := filepath.Join(t.TempDir(), "out")
			if err := checkTree(t, r, tree); err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := r.Source.Checkout(t.Context(), tree, out); err != nil {
					t.Fatal(err)
				}
				holds(t, filepath.Join(out, "models", "a.bin"), "weights")
			}
			// A command that changes the file changes neither the clone nor the next checkout.
			write(t, filepath.Join(out, "models", "a.bin"), "changed")
			if err := r.Source.Checkout(t.Context(), tree, out); err != nil {
				t.Fatal(err)
			}
			holds(t, filepath.Join(out, "models", "a.bin"), "weights")
			files, err := r.Source.Files(t.Context(), tree)
			if err != nil {
				t.Fatal(err)
			}
			before := fmt.Sprint(files)
			tree, oid = commitPointer(t, r, "models/a.bin", "other weights")
			keep(t, r.Dir, oid, "other weights")
			if err := r.Source.Checkout(t.Context(), tree, out); err != nil {
				t.Fatal(err)
			}
			holds(t, filepath.Join(out, "models", "a.bin"), "other weights")
			if files, err = r.Source.Files(t.Context(), tree); err != nil || fmt.Sprint(files) == before {
				t.Errorf("other content has the same blobs (%v)", err)
			}
			if kept, _ := os.ReadDir(out + ".git/lfs"); len(kept) != 1 {
				t.Errorf("%d contents are kept beside the checkout, want the one in use", len(kept))
			}
		})
	}
}

// TestCheckout_LFSAtTheTopOfTheRepository: attributes above the service's folder count.
func TestCheckout_LFSAtTheTopOfTheRepository(t *testing.T) {
	fakeLFS(t, "")
	r := newRepository(t, "services/api")
	write(t, filepath.Join(r.Dir, "..", "..", ".gitattributes"), "*.bin filter=lfs -text\n")
	text, oid := pointerTo("weights")
	write(t, filepath.Join(r.Dir, "a.bin"), text)
	r.Commit(t)
	keep(t, r.Dir, oid, "weights")
	c, err := r.Source.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := r.Source.Checkout(t.Context(), c.Tree, out); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(out, "a.bin"), "weights")
}

func TestCheckout_LFSDownloads(t *testing.T) {
	store := t.TempDir()
	fakeLFS(t, store)
	r := newRepository(t, "")
	tree, oid := commitPointer(t, r, "models/a.bin", "weights")
	out := filepath.Join(t.TempDir(), "out")
	if err := r.Source.Checkout(t.Context(), tree, out); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "download models/a.bin from Git LFS") {
		t.Errorf("a content that can't be downloaded: %v", err)
	}
	write(t, filepath.Join(store, oid), "weighty")
	if err := r.Source.Checkout(t.Context(), tree, out); !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "models/a.bin") {
		t.Errorf("another content: %v", err)
	}
	write(t, filepath.Join(store, oid), "weights")
	if err := r.Source.Checkout(t.Context(), tree, out); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(out, "models", "a.bin"), "weights")
}

func TestCheckout_LFSMissing(t *testing.T) {
	fakeLFS(t, "")
	r := newRepository(t, "")
	tree, oid := commitPointer(t, r, "models/a.bin", "weights")
	for name, err := range map[string]error{
		"checkout": r.Source.Checkout(t.Context(), tree, filepath.Join(t.TempDir(), "out")),
		"plan":     checkTree(t, r, tree),
	} {
		if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "Git LFS has the content of models/a.bin, which this clone lacks") || !strings.Contains(fault.HintOf(err), "git lfs pull") {
			t.Errorf("%s: %v (%s)", name, err, fault.HintOf(err))
		}
	}
	keep(t, r.Dir, oid, "weighty") // of the same size
	if err := r.Source.Checkout(t.Context(), tree, filepath.Join(t.TempDir(), "out")); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a damaged content: %v, want %s", err, fault.Corrupt)
	}
}

// TestCheckout_LFSOnlyWherePointersAre: what merely looks like one is left alone.
func TestCheckout_LFSOnlyWherePointersAre(t *testing.T) {
	fakeLFS(t, "")
	r := newRepository(t, "")
	text, _ := pointerTo("weights")
	write(t, filepath.Join(r.Dir, "example.txt"), text)
	r.Commit(t)
	c, err := r.Source.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := r.Source.Checkout(t.Context(), c.Tree, out); err != nil {
		t.Fatalf("a repository without LFS: %v", err)
	}
	holds(t, filepath.Join(out, "example.txt"), text)
	write(t, filepath.Join(r.Dir, "models", ".gitattributes"), "*.bin filter=lfs -text\n")
	write(t, filepath.Join(r.Dir, "models", "plain.bin"), strings.Repeat("committed before LFS was enabled\n", 9))
	if err := os.Remove(filepath.Join(r.Dir, "example.txt")); err != nil {
		t.Fatal(err)
	}
	r.Commit(t)
	if c, err = r.Source.Head(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := r.Source.Checkout(t.Context(), c.Tree, out); err != nil {
		t.Errorf("files that are no pointers: %v", err)
	}
}
