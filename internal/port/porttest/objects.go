package porttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestObjectStore holds an adapter to port.ObjectStore. fresh returns a function that
// opens the same store, empty at first, again and again, as separate processes would.
func TestObjectStore(t *testing.T, fresh func(t *testing.T) (open func() port.ObjectStore)) {
	t.Run("create", func(t *testing.T) { testCreateObject(t, fresh(t)()) })
	t.Run("create at once", func(t *testing.T) { testCreateAtOnce(t, fresh(t)) })
	t.Run("put", func(t *testing.T) { testPutObject(t, fresh(t)) })
	t.Run("put at once", func(t *testing.T) { testPutAtOnce(t, fresh(t)) })
	t.Run("put while it is read", func(t *testing.T) { testPutWhileRead(t, fresh(t)) })
	t.Run("put fails", func(t *testing.T) { testPutFails(t, fresh(t)()) })
	t.Run("list", func(t *testing.T) { testListObjects(t, fresh(t)()) })
	t.Run("delete", func(t *testing.T) { testDeleteObject(t, fresh(t)()) })
	t.Run("time", func(t *testing.T) { testObjectTime(t, fresh(t)()) })
	t.Run("cancelled", func(t *testing.T) { testObjectsCancelled(t, fresh(t)()) })
}

func wantObject(t *testing.T, s port.ObjectStore, key string, want []byte) port.Object {
	t.Helper()
	r, o, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("object %s has %d bytes (error = %v), want %d: got %.80q", key, len(got), err, len(want), got)
	}
	if o.Key != key || o.Size != int64(len(want)) || o.ModTime.IsZero() {
		t.Errorf("object = %+v, want %s of %d bytes", o, key, len(want))
	}
	return o
}

func testCreateObject(t *testing.T, s port.ObjectStore) {
	for _, key := range []string{"log/000000000001.json", "a", "deep/er/sha256:abc_d-e.f"} {
		content := []byte("{\"key\": \"" + key + "\"}\x00\xff")
		if err := s.Create(t.Context(), key, content); err != nil {
			t.Fatal(err)
		}
		wantObject(t, s, key, content)
		for _, again := range [][]byte{content, []byte("other")} {
			if err := s.Create(t.Context(), key, again); !errors.Is(err, port.ErrExists) {
				t.Errorf("create %s again: error = %v, want ErrExists", key, err)
			}
		}
		wantObject(t, s, key, content)
	}
	if err := s.Create(t.Context(), "empty", nil); err != nil {
		t.Fatal(err)
	}
	wantObject(t, s, "empty", nil)
	_, _, err := s.Open(t.Context(), "missing")
	wantFault(t, "open a missing object", err, fault.NotFound)
	_, _, err = s.Open(t.Context(), "deep")
	wantFault(t, "open a prefix", err, fault.NotFound)
}

func testCreateAtOnce(t *testing.T, open func() port.ObjectStore) {
	handles := []port.ObjectStore{open(), open(), open()}
	for round := range 10 {
		key := fmt.Sprintf("log/%d", round)
		won := make(chan int, 12)
		concurrently(t, 12, handles, func(s port.ObjectStore, i int) error {
			err := s.Create(t.Context(), key, []byte(fmt.Sprint("of ", i)))
			if err == nil {
				won <- i
			}
			if errors.Is(err, port.ErrExists) {
				return nil
			}
			return err
		})
		close(won)
		if len(won) != 1 {
			t.Fatalf("%d of 12 created %s, want exactly one", len(won), key)
		}
		wantObject(t, handles[0], key, []byte(fmt.Sprint("of ", <-won)))
	}
}

func testPutObject(t *testing.T, open func() port.ObjectStore) {
	s, other := open(), open()
	for _, content := range [][]byte{[]byte("first"), nil, bytes.Repeat([]byte("0123456789abcdef"), 9<<20/16+1), []byte("last")} {
		if err := s.Put(t.Context(), "blob/a", bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		wantObject(t, other, "blob/a", content)
	}
	if err := s.Create(t.Context(), "blob/a", nil); !errors.Is(err, port.ErrExists) {
		t.Errorf("create what was put: error = %v, want ErrExists", err)
	}
}

func testPutAtOnce(t *testing.T, open func() port.ObjectStore) {
	contents := map[string]bool{}
	body := func(i int) string { return strings.Repeat(fmt.Sprint(i), 100000) }
	for i := range 6 {
		contents[body(i)] = true
	}
	handles := []port.ObjectStore{open(), open()}
	concurrently(t, 6, handles, func(s port.ObjectStore, i int) error {
		return s.Put(t.Context(), "beat/1", strings.NewReader(body(i)))
	})
	r, _, err := handles[0].Open(t.Context(), "beat/1")
	defer must(t, r, err).Close()
	if got, err := io.ReadAll(r); err != nil || !contents[string(got)] {
		t.Errorf("read %.20q... of %d bytes (error = %v), want one of the contents as a whole", got, len(got), err)
	}
}

// testPutWhileRead: who reads has one content as a whole, whatever is put meanwhile.
func testPutWhileRead(t *testing.T, open func() port.ObjectStore) {
	s, other := open(), open()
	before, after := bytes.Repeat([]byte("before.."), 9<<20/8), bytes.Repeat([]byte("after..."), 10<<20/8)
	if err := s.Put(t.Context(), "blob/a", bytes.NewReader(before)); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Open(t.Context(), "blob/a")
	defer must(t, r, err).Close()
	got := make([]byte, 1)
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	if err := other.Put(t.Context(), "blob/a", bytes.NewReader(after)); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(got, rest...), before) {
		t.Errorf("read %d bytes (error = %v), want the %d that there were when it was opened", 1+len(rest), err, len(before))
	}
	wantObject(t, s, "blob/a", after)
}

// testPutFails: what could not be read as a whole is not stored.
func testPutFails(t *testing.T, s port.ObjectStore) {
	if err := s.Put(t.Context(), "a", strings.NewReader("before")); err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), iotest.ErrReader(errors.New("the disk is broken")))
	if err := s.Put(t.Context(), "a", broken); err == nil || !strings.Contains(err.Error(), "the disk is broken") {
		t.Errorf("put: error = %v, want the reader's", err)
	}
	wantObject(t, s, "a", []byte("before"))
}

func testListObjects(t *testing.T, s port.ObjectStore) {
	all := []string{"log/000001", "log/000002", "log/000010", "log-2/a", "logs", "snap/0", "snap/1/x"}
	for _, key := range all {
		if err := s.Create(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"log/", "", 10, []string{"log/000001", "log/000002", "log/000010"}},
		{"log/", "log/000001", 10, []string{"log/000002", "log/000010"}},
		{"log/", "log/000001", 1, []string{"log/000002"}},
		{"log/", "log/000005", 10, []string{"log/000010"}},
		{"log", "", 10, []string{"log-2/a", "log/000001", "log/000002", "log/000010", "logs"}},
		{"snap/", "", 10, []string{"snap/0", "snap/1/x"}},
		{"missing/", "", 10, nil},
	} {
		found, err := s.List(t.Context(), c.prefix, c.after, c.limit)
		must(t, found, err)
		var keys []string
		for _, o := range found {
			keys = append(keys, o.Key)
			if o.Size != int64(len(o.Key)) || o.ModTime.IsZero() {
				t.Errorf("listed %+v, want its size %d and a time", o, len(o.Key))
			}
		}
		wantEqual(t, fmt.Sprintf("list %q after %q, %d", c.prefix, c.after, c.limit), keys, c.want)
	}
}

func testDeleteObject(t *testing.T, s port.ObjectStore) {
	if err := s.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Delete(t.Context(), "a/b"); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := s.Open(t.Context(), "a/b")
	wantFault(t, "open a deleted object", err, fault.NotFound)
	if err := s.Create(t.Context(), "a/b", []byte("again")); err != nil {
		t.Errorf("create a deleted object: %v", err)
	}
}

// testObjectTime: times are those of one clock, and a later object is not older.
func testObjectTime(t *testing.T, s port.ObjectStore) {
	var before port.Object
	for i := range 3 {
		key := fmt.Sprint("probe/", i)
		if err := s.Put(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		o := wantObject(t, s, key, []byte("x"))
		if o.ModTime.Before(before.ModTime) {
			t.Errorf("%s is of %s, before %s of %s", o.Key, o.ModTime, before.ModTime, before.Key)
		}
		before = o
	}
}

func testObjectsCancelled(t *testing.T, s port.ObjectStore) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped by the test")
	cancel(stop)
	_, _, openErr := s.Open(ctx, "a")
	_, listErr := s.List(ctx, "a", "", 1)
	for name, err := range map[string]error{
		"create": s.Create(ctx, "a", nil), "put": s.Put(ctx, "a", strings.NewReader("x")), "open": openErr, "list": listErr, "delete": s.Delete(ctx, "a"),
	} {
		if !errors.Is(err, stop) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error = %v, want the context's", name, err)
		}
	}
}
