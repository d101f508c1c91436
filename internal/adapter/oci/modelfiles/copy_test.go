package modelfiles

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func content() map[string]string {
	return map[string]string{"model.json": `{"coef":1}`, "weights/deep/0.bin": strings.Repeat("w", 3<<20), "empty": ""}
}

// unpacked is an image's folder, and the copy out of it.
func unpacked(t *testing.T) Copy {
	t.Helper()
	c := Copy{From: t.TempDir(), To: t.TempDir(), Owner: "pod-1"}
	var layers []layer
	for title, body := range content() {
		layers = append(layers, entry(title, body))
		put(t, filepath.Join(c.From, FilesFolder, title), body)
	}
	manifest := written(t, layers...)
	put(t, filepath.Join(c.From, ManifestName), string(manifest))
	c.Digest = Digest(manifest)
	return c
}

// tree is every file below dir with its mode and content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, at)
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(at)
		out[filepath.ToSlash(rel)] = info.Mode().String() + " " + string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantModel(t *testing.T, dir string) {
	t.Helper()
	got := tree(t, dir)
	for title, body := range content() {
		if got[title] != "-r--r--r-- "+body {
			t.Errorf("%s = %.40q", title, got[title])
		}
		delete(got, title)
	}
	for name := range got {
		t.Errorf("%s should not be there", name)
	}
}

func TestCopy(t *testing.T) {
	c := unpacked(t)
	var times [2]fs.FileInfo
	for i := range times {
		n, err := c.Run()
		if err != nil || n != 10+(3<<20) {
			t.Fatalf("Run = %d, %v", n, err)
		}
		wantModel(t, c.To)
		if times[i], err = os.Stat(filepath.Join(c.To, "model.json")); err != nil {
			t.Fatal(err)
		}
	}
	if !os.SameFile(times[0], times[1]) {
		t.Error("a file that was right is another one now")
	}
	if info, err := os.Stat(filepath.Join(c.To, "weights", "deep")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("folder: %v, %v", info.Mode(), err)
	}
}

// TestCopy_ReplacesFiles leaves something wrong in the target before.
func TestCopy_ReplacesFiles(t *testing.T) {
	cases := map[string]func(c Copy) error{
		"other content": func(c Copy) error {
			return os.WriteFile(filepath.Join(c.To, "model.json"), []byte(`{"coef":2}`), 0o444)
		},
		"cut off": func(c Copy) error { return os.WriteFile(filepath.Join(c.To, "model.json"), []byte(`{`), 0o444) },
		"longer":  func(c Copy) error { return os.WriteFile(filepath.Join(c.To, "empty"), []byte(`{`), 0o444) },
		"writable": func(c Copy) error {
			return os.WriteFile(filepath.Join(c.To, "model.json"), []byte(`{"coef":1}`), 0o666)
		},
		"unreadable":    func(c Copy) error { return os.WriteFile(filepath.Join(c.To, "model.json"), []byte(`{"coef":1}`), 0) },
		"a link":        func(c Copy) error { return os.Symlink("/etc/passwd", filepath.Join(c.To, "model.json")) },
		"folder a link": func(c Copy) error { return os.Symlink(os.TempDir(), filepath.Join(c.To, "weights")) },
		"folder a file": func(c Copy) error { return os.WriteFile(filepath.Join(c.To, "weights"), nil, 0o444) },
		"broken off": func(c Copy) error {
			return os.WriteFile(filepath.Join(c.To, partialName(c.Owner, nil)), []byte("half"), 0o600)
		},
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			c := unpacked(t)
			if err := spoil(c); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Run(); err != nil {
				t.Fatal(err)
			}
			wantModel(t, c.To)
		})
	}
}

// TestCopy_RejectsTampering tampers with what is in the image.
func TestCopy_RejectsTampering(t *testing.T) {
	file := func(c Copy, title string) string { return filepath.Join(c.From, FilesFolder, title) }
	cases := map[string]struct {
		tamper func(c *Copy) error
		said   string
	}{
		"other model":     {func(c *Copy) error { c.Digest = Digest(nil); return nil }, "manifest.json is not what the release pins: sha256:"},
		"manifest":        {func(c *Copy) error { return os.WriteFile(filepath.Join(c.From, ManifestName), []byte("{}"), 0o644) }, "manifest.json is not what the release pins: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a instead of sha256:"},
		"no manifest":     {func(c *Copy) error { return os.Remove(filepath.Join(c.From, ManifestName)) }, "read manifest.json: no such file"},
		"content":         {func(c *Copy) error { return os.WriteFile(file(*c, "model.json"), []byte(`{"coef":2}`), 0o644) }, "model.json is not what the release pins: " + Digest([]byte(`{"coef":2}`)) + " instead of " + Digest([]byte(`{"coef":1}`))},
		"longer":          {func(c *Copy) error { return os.WriteFile(file(*c, "empty"), []byte(`x`), 0o644) }, "empty is not what the release pins: more than 0 bytes"},
		"shorter":         {func(c *Copy) error { return os.Truncate(file(*c, "model.json"), 3) }, "model.json is not what the release pins"},
		"missing":         {func(c *Copy) error { return os.Remove(file(*c, "empty")) }, "empty is missing"},
		"one more":        {func(c *Copy) error { return os.WriteFile(file(*c, "evil.so"), nil, 0o644) }, `"files/evil.so" does not belong`},
		"one more beside": {func(c *Copy) error { return os.WriteFile(filepath.Join(c.From, "x"), nil, 0o644) }, `"x" does not belong`},
		"a link": {func(c *Copy) error {
			return errors.Join(os.Rename(file(*c, "empty"), file(*c, "../../moved")), os.Symlink("../../moved", file(*c, "empty")))
		}, `"files/empty" is not a regular file`},
		"manifest a link": {func(c *Copy) error {
			return errors.Join(os.Rename(filepath.Join(c.From, ManifestName), filepath.Join(c.From, "m")), os.Symlink("m", filepath.Join(c.From, ManifestName)))
		}, "manifest.json is not a regular file"},
		"folder a link": {func(c *Copy) error {
			return errors.Join(os.Rename(file(*c, "weights"), file(*c, "w")), os.Symlink("w", file(*c, "weights")))
		}, "does not belong"},
		"no image":              {func(c *Copy) error { return os.RemoveAll(c.From) }, "no such file or directory"},
		"no volume":             {func(c *Copy) error { return os.RemoveAll(c.To) }, "is the volume mounted there?"},
		"a folder in its place": {func(c *Copy) error { return os.Mkdir(filepath.Join(c.To, "empty"), 0o755) }, "a folder has that name"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			from := unpacked(t)
			if err := c.tamper(&from); err != nil {
				t.Fatal(err)
			}
			_, err := from.Run()
			if err == nil || !strings.Contains(err.Error(), c.said) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Run = %v, want %q in one line", err, c.said)
			}
			if left, _ := filepath.Glob(filepath.Join(from.To, ".slipway-model*")); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

func TestCopy_PartialNameIsFree(t *testing.T) {
	name := partialName("pod-1", nil)
	if name == partialName("pod-2", nil) {
		t.Error("two pods share a name")
	}
	files := []File{{Title: name}, {Title: name + "-/x"}}
	if got := partialName("pod-1", files); got == name || got == name+"-" {
		t.Errorf("%s is a file of the model", got)
	}
}
