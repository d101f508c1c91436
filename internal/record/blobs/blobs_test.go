package blobs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/objectfolder"
	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/blobs"
)

func TestStore(t *testing.T) {
	porttest.TestBlobs(t, func(*testing.T) func() port.Blobs {
		objects := &fake.ObjectStore{}
		return func() port.Blobs { return &blobs.Store{Objects: objects} }
	})
}

func TestStore_Folder(t *testing.T) {
	porttest.TestBlobs(t, func(t *testing.T) func() port.Blobs {
		objects := objectfolder.Store{Dir: t.TempDir()}
		return func() port.Blobs { return &blobs.Store{Objects: objects} }
	})
}

// TestStore_Drivers holds the suite against every driver of the shared state.
func TestStore_Drivers(t *testing.T) {
	for _, driver := range objecttest.Drivers() {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			server := objecttest.Start(t, driver)
			var stores atomic.Int64
			porttest.TestBlobs(t, func(t *testing.T) func() port.Blobs {
				objects := server.Open(t, fmt.Sprintf("retail-%d", stores.Add(1)))
				return func() port.Blobs { return &blobs.Store{Objects: objects} }
			})
		})
	}
}

// folder makes a folder with two files, and saves it.
func folder(t *testing.T, s *blobs.Store) (dir string, saved port.Blob) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"a": "of a", "b": "of b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	saved, err := s.Save(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, saved
}

// TestStoreFetch_Damaged: content that was changed is refused, and stored anew by the
// next machine that has it and saw the damage.
func TestStoreFetch_Damaged(t *testing.T) {
	for name, key := range map[string]func(port.Blob) string{
		"list": func(b port.Blob) string { return blobs.Key(b.Digest) },
		"file": func(port.Blob) string { return blobs.Key(delivery.DigestOf([]byte("of b"))) },
	} {
		for how, change := range map[string]func([]byte) []byte{
			"a byte":  func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
			"cut off": func(b []byte) []byte { return b[:len(b)-1] },
			"longer":  func(b []byte) []byte { return append(b, '!') },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				objects := &fake.ObjectStore{}
				s := &blobs.Store{Objects: objects}
				dir, saved := folder(t, s)
				objects.Change(key(saved), change)
				dst := filepath.Join(t.TempDir(), "dst")
				if err := s.Fetch(t.Context(), saved, dst); !fault.Is(err, fault.Corrupt) {
					t.Errorf("fetch: error = %v, want %s", err, fault.Corrupt)
				}
				if left, err := os.ReadDir(filepath.Dir(dst)); len(left) > 0 || err != nil {
					t.Errorf("left = %v (error = %v), want nothing", left, err)
				}
				if _, err := s.Save(t.Context(), dir); err != nil {
					t.Fatal(err)
				}
				if err := (&blobs.Store{Objects: objects}).Fetch(t.Context(), saved, dst); err != nil {
					t.Errorf("fetch after it was saved again: %v", err)
				}
			})
		}
	}
}

// TestStoreFetch_HostileList: a list can't name a file outside of its folder, or more
// than was saved.
func TestStoreFetch_HostileList(t *testing.T) {
	text := []byte("x")
	file := func(path string) map[string]any {
		return map[string]any{"path": path, "digest": delivery.DigestOf(text), "size": 1}
	}
	for name, c := range map[string]struct {
		files []map[string]any
		size  int64
		want  fault.Kind // empty: any error
	}{
		"above":          {[]map[string]any{file("../a")}, 1, fault.Corrupt},
		"in between":     {[]map[string]any{file("a/../../b")}, 1, fault.Corrupt},
		"absolute":       {[]map[string]any{file("/tmp/a")}, 1, fault.Corrupt},
		"not clean":      {[]map[string]any{file("a//b")}, 1, fault.Corrupt},
		"the folder":     {[]map[string]any{file(".")}, 1, fault.Corrupt},
		"no name":        {[]map[string]any{file("")}, 1, fault.Corrupt},
		"backslash":      {[]map[string]any{file(`..\a`)}, 1, fault.Corrupt},
		"NUL":            {[]map[string]any{file("a\x00b")}, 1, fault.Corrupt},
		"twice":          {[]map[string]any{file("a"), file("a")}, 2, fault.Corrupt},
		"out of order":   {[]map[string]any{file("b"), file("a")}, 2, fault.Corrupt},
		"file as folder": {[]map[string]any{file("a"), file("a/b")}, 2, ""},
		"more":           {[]map[string]any{file("a"), file("b")}, 1, fault.Corrupt},
		"less":           {[]map[string]any{file("a")}, 2, fault.Corrupt},
		"negative":       {[]map[string]any{{"path": "a", "digest": delivery.DigestOf(text), "size": -1}}, -1, fault.Corrupt},
		"no digest":      {[]map[string]any{{"path": "a", "digest": "../../log.json", "size": 1}}, 1, fault.Corrupt},
	} {
		t.Run(name, func(t *testing.T) {
			objects := &fake.ObjectStore{}
			s := &blobs.Store{Objects: objects}
			raw, err := json.Marshal(map[string]any{"format": 1, "files": c.files})
			if err != nil {
				t.Fatal(err)
			}
			for _, content := range [][]byte{raw, text} {
				if err := objects.Create(t.Context(), blobs.Key(delivery.DigestOf(content)), content); err != nil {
					t.Fatal(err)
				}
			}
			root := t.TempDir()
			err = s.Fetch(t.Context(), port.Blob{Digest: delivery.DigestOf(raw), Folder: true, Size: c.size}, filepath.Join(root, "deep", "dst"))
			if err == nil || c.want != "" && !fault.Is(err, c.want) {
				t.Errorf("fetch: error = %v, want %s", err, c.want)
			}
			left, _ := filepath.Glob(filepath.Join(root, "deep", "*"))
			above, _ := os.ReadDir(root)
			if len(left) > 0 || len(above) != 1 {
				t.Errorf("left = %v and %v, want nothing", left, above)
			}
		})
	}
	newer := []byte(`{"format": 2, "files": []}`)
	objects := &fake.ObjectStore{}
	if err := objects.Create(t.Context(), blobs.Key(delivery.DigestOf(newer)), newer); err != nil {
		t.Fatal(err)
	}
	if _, err := (&blobs.Store{Objects: objects}).Files(t.Context(), delivery.DigestOf(newer)); !fault.Is(err, fault.Conflict) {
		t.Errorf("a list of a newer format: error = %v, want %s", err, fault.Conflict)
	}
}

// TestStoreSave_Requests: what is there is not sent again, until it is old.
func TestStoreSave_Requests(t *testing.T) {
	var mu sync.Mutex
	var calls []string
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return at }
	objects := &fake.ObjectStore{Clock: clock, Before: func(method, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, method)
		return nil
	}}
	s := &blobs.Store{Objects: objects, Clock: clock}
	dir, _ := folder(t, s)
	for _, c := range []struct {
		after       time.Duration
		lists, puts int
	}{{0, 1, 0}, {blobs.RefreshAge - 1, 1, 0}, {1, 4, 3}, {time.Hour, 1, 0}} {
		at, calls = at.Add(c.after), nil
		if _, err := s.Save(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		puts := len(slices.DeleteFunc(slices.Clone(calls), func(method string) bool { return method != "Put" }))
		if puts != c.puts || len(calls)-puts > c.lists+1 {
			t.Errorf("after %s: calls = %v, want %d of List and %d of Put", c.after, calls, c.lists, c.puts)
		}
	}
}

// TestStore_Unavailable: a store that is away for a moment is tried again, one that
// refuses is not.
func TestStore_Unavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for kind, fails := range map[fault.Kind]int{fault.Unavailable: 2, fault.Denied: 1} {
			var mu sync.Mutex
			calls, left := 0, fails
			objects := &fake.ObjectStore{}
			s := &blobs.Store{Objects: objects}
			_, saved := folder(t, s)
			objects.Before = func(method, key string) error {
				mu.Lock()
				defer mu.Unlock()
				if calls++; left > 0 {
					left--
					return fault.New(kind, "the store is away")
				}
				return nil
			}
			err := s.Fetch(t.Context(), saved, filepath.Join(t.TempDir(), "dst"))
			if (err == nil) != (kind == fault.Unavailable) {
				t.Errorf("%s %d times: error = %v after %d calls", kind, fails, err, calls)
			}
		}
	})
}

func TestStore_Sets(t *testing.T) {
	objects := &fake.ObjectStore{}
	s, other := &blobs.Store{Objects: objects}, &blobs.Store{Objects: objects}
	a, b := fake.Digest(1), fake.Digest(2)
	for _, d := range []delivery.Digest{b, a, b} {
		if err := s.AddTo(t.Context(), "referrers of x@1", d); err != nil {
			t.Fatal(err)
		}
	}
	for set, want := range map[string][]delivery.Digest{"referrers of x@1": {a, b}, "referrers of x": nil, "": nil} {
		got, err := other.Members(t.Context(), set)
		slices.Sort(want)
		if !slices.Equal(got, want) || err != nil {
			t.Errorf("members of %q = %v (error = %v), want %v", set, got, err, want)
		}
	}
	if err := s.AddTo(t.Context(), "x", "../log.json"); !fault.Is(err, fault.Invalid) {
		t.Errorf("add what is not a digest: error = %v, want %s", err, fault.Invalid)
	}
	found, err := objects.List(t.Context(), blobs.SetPrefix, "", 10)
	if err != nil || len(found) != 2 {
		t.Fatalf("objects = %v (error = %v), want two", found, err)
	}
	if d, ok := blobs.MemberOf(found[0].Key); !ok || d != a && d != b {
		t.Errorf("MemberOf(%s) = %s, %v", found[0].Key, d, ok)
	}
	if _, ok := blobs.MemberOf(blobs.Key(a)); ok {
		t.Error("a blob is taken for a member of a set")
	}
}

func TestDigestOf(t *testing.T) {
	d := delivery.DigestOf(nil)
	for key, want := range map[string]bool{blobs.Key(d): true, "blob/sha256/12": false, "log/000000000001.json": false, fmt.Sprint(blobs.Key(d), "0"): false} {
		if got, ok := blobs.DigestOf(key); ok != want || ok && got != d {
			t.Errorf("DigestOf(%q) = %s, %v, want %v", key, got, ok, want)
		}
	}
}
