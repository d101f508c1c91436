package oci

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// layerOf makes a layer of a script: each line is the type of an entry, its name, and for
// a link where it leads. What is no script is a layer already.
func layerOf(script string) io.Reader {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for line := range strings.Lines(script) {
		kind, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || len(kind) != 1 {
			return strings.NewReader(script)
		}
		name, link, _ := strings.Cut(rest, " ")
		h := &tar.Header{Name: name, Linkname: link, Mode: 0o7777, Typeflag: kind[0]}
		if h.Typeflag == tar.TypeReg {
			h.Size = 1
		}
		if w.WriteHeader(h) != nil {
			continue
		}
		if h.Size > 0 {
			_, _ = w.Write([]byte("x"))
		}
	}
	_ = w.Close()
	return &out
}

// FuzzLayer: whatever two layers contain, nothing outside of the root changes, and nothing
// in it lets another user in.
func FuzzLayer(f *testing.F) {
	for _, seed := range [][2]string{
		{"0 a\n5 d/\n0 d/b\n", "0 d/.wh.b\n0 .wh.a\n0 d/.wh..wh..opq\n"},
		{"2 up ../../outside\n0 up/secret\n", "0 up/.wh.secret\n"},
		{"2 abs /outside\n1 hard ../outside/secret\n", "0 .wh...\n0 .wh..\n0 .wh.\n"},
		{"2 a b\n2 b a\n0 a/x\n", "0 a/.wh..wh..opq\n"},
		{"3 null\n4 disk\n6 pipe\n7 other\n", "x none\ng none\n"},
		{"5 ..\n0 ../../x\n0 /../../outside/secret\n5 .\n", "0 a/../../outside/secret\n"},
		{"2 d ..\n", "0 d/.wh.outside\n0 d/.wh..wh..opq\n"},
		{"0 f\n1 g f\n1 g g\n5 f/\n", "2 f /\n1 h f/../../outside/secret\n"},
		{"not a layer", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		if len(first)+len(second) > 1<<12 {
			t.Skip("more of the same")
		}
		dir := t.TempDir()
		outside := filepath.Join(dir, "outside", "secret")
		if err := os.Mkdir(filepath.Dir(outside), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(dir, "root")
		if err := os.Mkdir(at, 0o700); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(at)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		tree := newRootFS(root)
		if tree.applyLayer(layerOf(first)) == nil && tree.applyLayer(layerOf(second)) == nil {
			_ = tree.setDirMetadata()
		}
		if text, err := os.ReadFile(outside); string(text) != "secret" {
			t.Errorf("the file outside is %q, %v", text, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 2 {
			t.Errorf("beside the root there are %v", entries)
		}
		if entries, _ := os.ReadDir(filepath.Dir(outside)); len(entries) != 1 {
			t.Errorf("outside there are %v", entries)
		}
		checkModes(t, at)
	})
}

func checkModes(t *testing.T, root string) {
	t.Helper()
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode(); {
		case mode&fs.ModeSymlink != 0:
		case mode&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket|fs.ModeSetuid|fs.ModeSetgid) != 0, mode.Perm()&0o022 != 0:
			t.Errorf("%s has mode %s", path, mode)
		}
		return nil
	})
}

// TestLayer_LargeHeaders: what a layer says about its folders in extended headers takes no
// memory once it was read. Kept, they were half a gigabyte for a layer of half a megabyte.
func TestLayer_LargeHeaders(t *testing.T) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	const folders, headerSize = 64, 512 << 10
	text := strings.Repeat("x", headerSize)
	for i := range folders {
		h := &tar.Header{Name: strings.Repeat("d", i+1) + "/", Mode: 0o755, Typeflag: tar.TypeDir, ModTime: time.Unix(1, 0), PAXRecords: map[string]string{"SLIPWAY.text": text}}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	tree := newRootFS(root)
	before := heapInUse()
	if err := tree.applyLayer(&layer); err != nil {
		t.Fatal(err)
	}
	if kept := heapInUse() - before; kept > folders*headerSize/8 {
		t.Errorf("%d MiB are kept of %d folders", kept>>20, folders)
	}
	runtime.KeepAlive(&layer)
	if err := tree.setDirMetadata(); err != nil {
		t.Fatal(err)
	}
	if info, err := root.Stat("d"); err != nil || !info.ModTime().Equal(time.Unix(1, 0)) {
		t.Errorf("d = %v, %v, want its time", info, err)
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
