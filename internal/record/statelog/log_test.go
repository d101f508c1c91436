package statelog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

func open(t *testing.T, s *fake.ObjectStore) *statelog.Log {
	t.Helper()
	l, err := statelog.Open(t.Context(), s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func rows(text string) statelog.Entry {
	raw, _ := json.Marshal(text)
	return statelog.Entry{Schema: 2, Rows: raw}
}

// readAll returns the rows of the entries after the position, and the last position.
func readAll(t *testing.T, l *statelog.Log, after statelog.Position) (texts []string, last statelog.Position) {
	t.Helper()
	last, err := l.Read(t.Context(), after, func(e statelog.Entry, _ statelog.Position) error {
		var text string
		err := json.Unmarshal(e.Rows, &text)
		texts = append(texts, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts, last
}

// replay reads the whole log from where it begins, and returns the numbers that it read.
func replay(t *testing.T, l *statelog.Log) (numbers []int64, err error) {
	t.Helper()
	begin := func(s statelog.Snapshot) error { numbers = append(numbers, -s.After.N); return nil }
	_, err = l.Replay(t.Context(), begin, func(e statelog.Entry, _ statelog.Position) error {
		numbers = append(numbers, e.N)
		return nil
	})
	return numbers, err
}

func appendAll(t *testing.T, l *statelog.Log, texts ...string) (p statelog.Position) {
	t.Helper()
	for _, text := range texts {
		var err error
		if p, err = l.Append(t.Context(), p, rows(text)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestLog_AppendRead(t *testing.T) {
	s := &fake.ObjectStore{}
	l := open(t, s)
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprint(i))
	}
	last := appendAll(t, l, want...)
	got, read := readAll(t, open(t, s), statelog.Position{})
	if diff := cmp.Diff(want, got); diff != "" || read != last {
		t.Errorf("read up to %v, want %v (-want +got):\n%s", read, last, diff)
	}
	if got, read := readAll(t, l, last); len(got) != 0 || read != last {
		t.Errorf("after the newest entry: %v up to %v, want none", got, read)
	}
	if _, err := l.Append(t.Context(), statelog.Position{N: 42, Digest: last.Digest}, rows("late")); !errors.Is(err, statelog.ErrTaken) {
		t.Errorf("append to a number that is taken: error = %v, want ErrTaken", err)
	}
}

func TestOpen(t *testing.T) {
	s := &fake.ObjectStore{}
	first := open(t, s)
	if again := open(t, s); again.Identity != first.Identity || first.Identity.ID == "" {
		t.Errorf("identity = %+v, then %+v, want the same", first.Identity, again.Identity)
	}
	if other := open(t, &fake.ObjectStore{}); other.Identity.ID == first.Identity.ID {
		t.Errorf("two logs have the ID %s, want two", other.Identity.ID)
	}
	for _, c := range []struct {
		name string
		set  func(s *fake.ObjectStore)
		want fault.Kind
	}{
		{"identity is missing", func(s *fake.ObjectStore) { appendAll(t, open(t, s), "a"); _ = s.Delete(t.Context(), "log.json") }, fault.Corrupt},
		{"identity of something else", func(s *fake.ObjectStore) { _ = s.Create(t.Context(), "log.json", []byte(`{"a":1}`)) }, fault.Corrupt},
		{"newer format", func(s *fake.ObjectStore) { _ = s.Create(t.Context(), "log.json", []byte(`{"format":99,"id":"X"}`)) }, fault.Conflict},
		{"away", func(s *fake.ObjectStore) {
			s.Before = func(string, string) error { return fault.New(fault.Unavailable, "no route to host") }
		}, fault.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &fake.ObjectStore{}
			c.set(s)
			if _, err := statelog.Open(t.Context(), s, time.Now()); !fault.Is(err, c.want) {
				t.Errorf("error = %v (%s), want %s", err, fault.KindOf(err), c.want)
			}
		})
	}
}

// overwriting is a store that ignores the condition of Create.
type overwriting struct{ *fake.ObjectStore }

func (o overwriting) Create(ctx context.Context, key string, content []byte) error {
	return o.Put(ctx, key, bytes.NewReader(content))
}

func TestOpen_RefusesStoreWithoutConditions(t *testing.T) {
	s := overwriting{&fake.ObjectStore{}}
	if _, err := statelog.Open(t.Context(), s, time.Now()); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "overwrites") {
		t.Errorf("error = %v, want %s", err, fault.Invalid)
	}
	if left, err := s.List(t.Context(), "", "", 10); err != nil || len(left) != 0 {
		t.Errorf("objects left = %v (error = %v), want none", left, err)
	}
}

// TestLog_AppendLostAnswers: whatever answers are lost, an entry is there once, in the
// place that its writer was told.
func TestLog_AppendLostAnswers(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(seed, 1))
			sometimes := func(method, _ string) error {
				mu.Lock()
				defer mu.Unlock()
				if random.IntN(4) == 0 {
					return fault.New(fault.Unavailable, "%s: the answer is lost", method)
				}
				return nil
			}
			s := &fake.ObjectStore{}
			l := open(t, s)
			s.Before, s.After = sometimes, sometimes
			var group sync.WaitGroup
			placed := make([]map[int64]string, 4)
			for writer := range placed {
				placed[writer] = map[int64]string{}
				group.Go(func() {
					for i := range 10 {
						text := fmt.Sprintf("%d of %d", i, writer)
						n := add(t, l, text)
						placed[writer][n] = text
					}
				})
			}
			group.Wait()
			s.Before, s.After = nil, nil
			got, _ := readAll(t, l, statelog.Position{})
			if len(got) != 40 {
				t.Errorf("seed %d: %d entries, want 40", seed, len(got))
			}
			for _, mine := range placed {
				for n, text := range mine {
					if got[n-1] != text {
						t.Errorf("seed %d: entry %d is %q, want %q as its writer was told", seed, n, got[n-1], text)
					}
				}
			}
		})
	}
}

// add appends the text after whatever is there, and returns its number.
func add(t *testing.T, l *statelog.Log, text string) int64 {
	for at := (statelog.Position{}); ; {
		next, err := l.Read(t.Context(), at, func(statelog.Entry, statelog.Position) error { return nil })
		at = next
		if err != nil {
			continue // the answer was lost
		}
		mine, err := l.Append(t.Context(), at, rows(text))
		if err == nil {
			return mine.N
		}
		if !errors.Is(err, statelog.ErrTaken) {
			t.Errorf("append: %v", err)
			return 0
		}
	}
}

// TestLog_AppendWaits: an entry is retried while the store is away, until the context
// ends, and not at all if the store denies it.
func TestLog_AppendWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fake.ObjectStore{}
		l := open(t, s)
		begun := time.Now()
		s.Before = func(string, string) error {
			if time.Since(begun) < 10*time.Minute {
				return fault.New(fault.Unavailable, "no route to host")
			}
			return nil
		}
		if _, err := l.Append(t.Context(), statelog.Position{}, rows("a")); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(begun); waited > 10*time.Minute+10*time.Second {
			t.Errorf("waited %s for a store that was away for 10m, want at most 10 s longer", waited)
		}
		stop := errors.New("stopped by the test")
		ctx, cancel := context.WithCancelCause(t.Context())
		s.Before = func(string, string) error { return fault.New(fault.Unavailable, "no route to host") }
		time.AfterFunc(time.Minute, func() { cancel(stop) })
		if _, err := l.Append(ctx, statelog.Position{}, rows("b")); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), stop.Error()) {
			t.Errorf("error = %v, want the store's and the context's", err)
		}
		var calls atomic.Int64
		s.Before = func(string, string) error { calls.Add(1); return fault.New(fault.Denied, "forbidden") }
		if _, err := l.Append(t.Context(), statelog.Position{}, rows("c")); !fault.Is(err, fault.Denied) || calls.Load() > 2 {
			t.Errorf("error = %v after %d calls, want %s at once", err, calls.Load(), fault.Denied)
		}
	})
}

func TestLog_ReadDamaged(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(s *fake.ObjectStore)
		says   string
	}{
		{"flipped byte", func(s *fake.ObjectStore) {
			s.Change("log/000000000007.json", func(b []byte) []byte { b[len(b)-3] ^= 1; return b })
		}, "entry 8"},
		{"missing", func(s *fake.ObjectStore) { _ = s.Delete(t.Context(), "log/000000000007.json") }, "entry 7"},
		{"empty", func(s *fake.ObjectStore) { s.Change("log/000000000007.json", func([]byte) []byte { return nil }) }, "entry 7"},
		{"not JSON", func(s *fake.ObjectStore) {
			s.Change("log/000000000007.json", func([]byte) []byte { return []byte("<Error/>") })
		}, "entry 7"},
		{"too large", func(s *fake.ObjectStore) {
			s.Change("log/000000000007.json", func([]byte) []byte { return make([]byte, 64<<20+1) })
		}, "67108865 bytes"},
		{"another entry", func(s *fake.ObjectStore) {
			s.Change("log/000000000007.json", func([]byte) []byte { return []byte(`{"n":3,"rows":[]}`) })
		}, "entry 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &fake.ObjectStore{}
			l := open(t, s)
			appendAll(t, l, strings.Split("abcdefghijkl", "")...)
			c.damage(s)
			_, err := replay(t, l)
			if !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" {
				t.Errorf("error = %v (hint %q), want %s about %s", err, fault.HintOf(err), fault.Corrupt, c.says)
			}
		})
	}
	t.Run("replaced after it was read here", func(t *testing.T) {
		s := &fake.ObjectStore{}
		l := open(t, s)
		last := appendAll(t, l, "a", "b")
		_ = s.Delete(t.Context(), "log/000000000002.json")
		other := open(t, s)
		_, first := readAll(t, other, statelog.Position{})
		second, err := other.Append(t.Context(), first, rows("forged"))
		if err == nil {
			_, err = other.Append(t.Context(), second, rows("c"))
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Read(t.Context(), last, func(statelog.Entry, statelog.Position) error { return nil }); !fault.Is(err, fault.Corrupt) {
			t.Errorf("error = %v, want %s", err, fault.Corrupt)
		}
	})
}

// TestLog_ReadRacingAppend: an entry that is added between two of a reader's requests
// is not taken for a hole.
func TestLog_ReadRacingAppend(t *testing.T) {
	s := &fake.ObjectStore{}
	l := open(t, s)
	at := appendAll(t, l, strings.Split("abcdef", "")...)
	var once sync.Once
	var added atomic.Bool
	s.Before = func(method, key string) error {
		if method == "Open" && key == "log/000000000008.json" && !added.Load() {
			once.Do(func() {
				added.Store(true)
				for range 4 {
					at, _ = l.Append(context.WithoutCancel(t.Context()), at, rows("late"))
				}
			})
		}
		return nil
	}
	for range 20 {
		got, _ := readAll(t, l, statelog.Position{})
		if len(got) < 6 {
			t.Fatalf("%d entries, want at least 6", len(got))
		}
	}
}

func TestSnapshot(t *testing.T) {
	s := &fake.ObjectStore{}
	l := open(t, s)
	if got, err := l.NewestSnapshot(t.Context(), 2); err != nil || got.After.N != 0 {
		t.Errorf("snapshot = %+v (error = %v), want none", got, err)
	}
	save := func(n int64, schema int) {
		t.Helper()
		snap := statelog.Snapshot{After: statelog.Position{N: n, Digest: delivery.DigestOf([]byte("x"))}, Schema: schema}
		for range 2 {
			if err := l.SaveSnapshot(t.Context(), snap, strings.NewReader("content")); err != nil {
				t.Fatal(err)
			}
		}
	}
	save(200, 2)
	save(400, 2)
	save(600, 3)
	for _, c := range []struct {
		name   string
		damage func()
		want   int64
	}{
		{"the newest of a known version", func() {}, 400},
		{"a damaged one is passed over", func() { s.Change("snap/000000000400.zst", func(b []byte) []byte { return b[:len(b)/2] }) }, 200},
		{"one of another log is passed over", func() {
			foreign := open(t, &fake.ObjectStore{})
			foreign.Store = s
			_ = s.Delete(t.Context(), "snap/000000000400.zst")
			if err := foreign.SaveSnapshot(t.Context(), statelog.Snapshot{After: statelog.Position{N: 400}, Schema: 2}, strings.NewReader("1")); err != nil {
				t.Fatal(err)
			}
		}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.damage()
			got, err := l.NewestSnapshot(t.Context(), 2)
			if err != nil || got.After.N != c.want {
				t.Fatalf("snapshot after %d (error = %v), want %d", got.After.N, err, c.want)
			}
			content, err := got.Content()
			if err != nil {
				t.Fatal(err)
			}
			defer content.Close()
			if text, err := io.ReadAll(content); err != nil || string(text) != "content" {
				t.Errorf("content = %q (error = %v), want what was saved", text, err)
			}
		})
	}
}

// TestLog_SinceBeat: the age of a beat is that of the store's clock, whatever this
// machine's clock says.
func TestLog_SinceBeat(t *testing.T) {
	at := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &fake.ObjectStore{Clock: func() time.Time { return at }}
	l := open(t, s)
	run := delivery.RunID("20260101-000000-aaaa")
	if _, ok, err := l.SinceBeat(t.Context(), run, 1); ok || err != nil {
		t.Errorf("without a beat: ok = %v, error = %v", ok, err)
	}
	if err := l.Beat(t.Context(), run, 1); err != nil {
		t.Fatal(err)
	}
	at = at.Add(time.Minute)
	if since, ok, err := l.SinceBeat(t.Context(), run, 1); since != time.Minute || !ok || err != nil {
		t.Errorf("since the beat: %s (%v), error = %v, want 1m", since, ok, err)
	}
	if _, ok, err := l.SinceBeat(t.Context(), run, 2); ok || err != nil {
		t.Errorf("of another epoch: ok = %v, error = %v, want none", ok, err)
	}
	if left, err := s.List(t.Context(), "probe/", "", 10); err != nil || len(left) != 0 {
		t.Errorf("probes left = %v (error = %v), want none", left, err)
	}
}
