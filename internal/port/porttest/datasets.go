package porttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// DatasetsFixture is a store of objects, empty at first.
type DatasetsFixture struct {
	Datasets port.Datasets
	Root     string // URI that names follow, with a slash at its end
	// KeepsVersions: what was replaced can still be read.
	KeepsVersions bool
	Put           func(t *testing.T, name, text string)
}

// TestDatasets holds a store to port.Datasets.
func TestDatasets(t *testing.T, fresh func(t *testing.T) DatasetsFixture) {
	f := fresh(t)
	object, prefix := f.Root+"train/a.csv", f.Root+"train/"
	for _, uri := range []string{object, prefix} {
		_, err := f.Datasets.Pin(t.Context(), uri)
		wantFault(t, "nothing at "+uri, err, fault.NotFound)
	}
	_, err := f.Datasets.Pin(t.Context(), "train/a.csv")
	wantFault(t, "a path", err, fault.Invalid)
	f.Put(t, "train/a.csv", "1,2\n")
	f.Put(t, "train/sub/b.csv", "3\n")
	f.Put(t, "trainer.csv", "of another prefix")
	one, all := pin(t, f, object), pin(t, f, prefix)
	if one.Objects != 1 || one.Size != 4 || all.Objects != 2 || all.Size != 6 {
		t.Errorf("pinned %+v and %+v, want 1 object of 4 bytes and 2 of 6", one, all)
	}
	wantEqual(t, "the object again", pin(t, f, object), one)
	wantEqual(t, "the prefix again", pin(t, f, prefix), all)
	wantEqual(t, "the object", fetched(t, f, one), map[string]string{"a.csv": "1,2\n"})
	files := map[string]string{"train/a.csv": "1,2\n", "train/sub/b.csv": "3\n"}
	wantEqual(t, "the prefix", fetched(t, f, all), files)

	f.Put(t, "train/a.csv", "9,9\n") // of the same size
	if now := pin(t, f, object); now.Digest == one.Digest {
		t.Errorf("an object that was replaced is pinned as %s again", now.Digest)
	}
	if now := pin(t, f, prefix); now.Digest == all.Digest {
		t.Errorf("a prefix of which an object was replaced is pinned as %s again", now.Digest)
	}
	wantFault(t, "a prefix that has changed", f.Datasets.Fetch(t.Context(), all, t.TempDir()), fault.Conflict)
	if f.KeepsVersions {
		wantEqual(t, "the version that was pinned", fetched(t, f, one), map[string]string{"a.csv": "1,2\n"})
		return
	}
	wantFault(t, "an object that was replaced", f.Datasets.Fetch(t.Context(), one, t.TempDir()), fault.Conflict)
}

func pin(t *testing.T, f DatasetsFixture, uri string) delivery.Dataset {
	t.Helper()
	d, err := f.Datasets.Pin(t.Context(), uri)
	must(t, d, err)
	if d.URI != uri || !d.Digest.Valid() || d.Content != "" {
		t.Errorf("%s is pinned as %+v", uri, d)
	}
	return d
}

// fetched returns the files that a dataset has.
func fetched(t *testing.T, f DatasetsFixture, d delivery.Dataset) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := f.Datasets.Fetch(t.Context(), d, dir); err != nil {
		t.Fatalf("fetch %s: %v", d.URI, err)
	}
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		files[filepath.ToSlash(strings.TrimPrefix(file, dir+string(filepath.Separator)))] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
