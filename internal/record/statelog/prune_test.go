package statelog_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// old is a log of 12 entries with snapshots after 3, 6 and 9, of which the first seven
// are older than the retention.
type old struct {
	store *fake.ObjectStore
	at    []statelog.Position // after entry n
	now   time.Time           // of the store
}

func newOld(t *testing.T) *old {
	t.Helper()
	o := &old{store: &fake.ObjectStore{}, at: make([]statelog.Position, 1), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	o.store.Clock = func() time.Time { return o.now }
	l := o.machine(t)
	for n := 1; n <= 12; n++ {
		if n == 8 {
			o.now = o.now.Add(statelog.MinRetention)
		}
		at, err := l.Append(t.Context(), o.at[n-1], rows(fmt.Sprint(n)))
		if err == nil && n%3 == 0 && n < 12 {
			err = l.SaveSnapshot(t.Context(), statelog.Snapshot{After: at, Schema: 2}, strings.NewReader("s"))
		}
		if err != nil {
			t.Fatal(err)
		}
		o.at = append(o.at, at)
	}
	return o
}

// machine is a machine whose process has just started.
func (o *old) machine(t *testing.T) *statelog.Log { return open(t, o.store) }

func (o *old) prune(t *testing.T, opts statelog.PruneOptions) (statelog.Pruned, error) {
	t.Helper()
	opts.MinAge = max(opts.MinAge, statelog.MinRetention)
	if opts.Snapshots == nil {
		opts.Snapshots = []int64{3, 6, 9}
	}
	return o.machine(t).Prune(t.Context(), opts)
}

// keys lists the objects of the log.
func (o *old) keys(t *testing.T) (keys []string) {
	t.Helper()
	all, err := o.store.List(t.Context(), "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range all {
		key, _, _ := strings.Cut(object.Key, ".")
		keys = append(keys, strings.ReplaceAll(key, "/0000000000", "/"))
	}
	return keys
}

func numbersOf(t *testing.T, l *statelog.Log, after statelog.Position) (numbers []int64, err error) {
	t.Helper()
	_, err = l.Read(t.Context(), after, func(e statelog.Entry, _ statelog.Position) error {
		numbers = append(numbers, e.N)
		return nil
	})
	return numbers, err
}

func TestLog_Prune(t *testing.T) {
	o := newOld(t)
	running := o.machine(t) // has read all of it
	if _, err := numbersOf(t, running, o.at[0]); err != nil {
		t.Fatal(err)
	}
	whole := o.keys(t)
	would, err := o.prune(t, statelog.PruneOptions{DryRun: true})
	if diff := cmp.Diff(whole, o.keys(t)); err != nil || diff != "" {
		t.Errorf("a dry run changed the log (error = %v):\n%s", err, diff)
	}
	pruned, err := o.prune(t, statelog.PruneOptions{})
	if err != nil || pruned.Through != 6 || pruned.Entries.Objects != 6 || pruned.Snapshots.Objects != 1 || pruned.Entries.Bytes == 0 {
		t.Errorf("pruned %+v (error = %v), want 6 entries and 1 snapshot", pruned, err)
	}
	if diff := cmp.Diff(pruned, would); diff != "" {
		t.Errorf("the dry run counted (-want +got):\n%s", diff)
	}
	want := []string{"digests/06", "log", "log/07", "log/08", "log/09", "log/10", "log/11", "log/12", "pruned/06", "snap/06", "snap/09"}
	if diff := cmp.Diff(want, o.keys(t)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if got, err := replay(t, o.machine(t)); err != nil || !cmp.Equal(got, []int64{-6, 7, 8, 9, 10, 11, 12}) {
		t.Errorf("replay read %d (error = %v), want the snapshot after 6 and what follows", got, err)
	}
	for n, at := range o.at {
		got, err := numbersOf(t, o.machine(t), at)
		if n < 6 && !errors.Is(err, statelog.ErrPruned) || n >= 6 && (err != nil || len(got) != 12-n) {
			t.Errorf("read after %d: %d, error = %v, want ErrPruned before 6 only", n, got, err)
		}
	}
	for n := int64(1); n <= 12; n++ {
		if got, err := o.machine(t).DigestAt(t.Context(), n); err != nil || got != o.at[n].Digest {
			t.Errorf("digest of entry %d = %s (error = %v), want %s", n, got, err, o.at[n].Digest)
		}
	}
	if _, err := running.Append(t.Context(), o.at[12], rows("13")); err != nil {
		t.Errorf("a machine that was reading meanwhile: %v", err)
	}
	if again, err := o.prune(t, statelog.PruneOptions{}); err != nil || again.Through != 6 || again.Entries.Objects+again.Snapshots.Objects != 0 {
		t.Errorf("pruned again %+v (error = %v), want nothing", again, err)
	}
}

// TestLog_PruneStaleWriter: a machine that was away while entries were removed can't take
// their numbers, and leaves nothing there.
func TestLog_PruneStaleWriter(t *testing.T) {
	for _, n := range []int{0, 2, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			o := newOld(t)
			if _, err := o.prune(t, statelog.PruneOptions{}); err != nil {
				t.Fatal(err)
			}
			want := o.keys(t)
			if _, err := o.machine(t).Append(t.Context(), o.at[n], rows("ghost")); !errors.Is(err, statelog.ErrTaken) {
				t.Errorf("error = %v, want ErrTaken", err)
			}
			if diff := cmp.Diff(want, o.keys(t)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("killed before it looked", func(t *testing.T) {
		o := newOld(t)
		if _, err := o.prune(t, statelog.PruneOptions{}); err != nil {
			t.Fatal(err)
		}
		ghost := o.machine(t)
		o.store.Before = func(method, _ string) error {
			if method == "List" {
				return fault.New(fault.Denied, "killed")
			}
			return nil
		}
		if _, err := ghost.Append(t.Context(), o.at[5], rows("ghost")); !fault.Is(err, fault.Denied) {
			t.Fatal(err)
		}
		o.store.Before = nil
		if _, err := numbersOf(t, o.machine(t), o.at[5]); !errors.Is(err, statelog.ErrPruned) {
			t.Errorf("whoever reads what it left: error = %v, want ErrPruned", err)
		}
		if _, err := o.prune(t, statelog.PruneOptions{}); err != nil || strings.Contains(strings.Join(o.keys(t), " "), "log/06") {
			t.Errorf("objects after the next prune: %q (error = %v), want none of it", o.keys(t), err)
		}
	})
}

func TestLog_PruneKeeps(t *testing.T) {
	for _, c := range []struct {
		name string
		opts statelog.PruneOptions
		want int64
	}{
		{"the newest two snapshots", statelog.PruneOptions{Snapshots: []int64{3, 6}}, 3},
		{"what no snapshot stands for", statelog.PruneOptions{Snapshots: []int64{6}}, 0},
		{"what is young", statelog.PruneOptions{MinAge: statelog.MinRetention + time.Hour}, 0},
		{"what is young, and the newest two", statelog.PruneOptions{Snapshots: []int64{3, 9, 11}}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := newOld(t).prune(t, c.opts); err != nil || got.Through != c.want {
				t.Errorf("pruned through %d (error = %v), want %d", got.Through, err, c.want)
			}
		})
	}
	t.Run("retention is too short", func(t *testing.T) {
		o := newOld(t)
		_, err := o.machine(t).Prune(t.Context(), statelog.PruneOptions{MinAge: statelog.MinRetention - time.Second, Snapshots: []int64{3, 6, 9}})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("error = %v, want %s", err, fault.Invalid)
		}
	})
	t.Run("snapshot of another entry", func(t *testing.T) {
		o := newOld(t)
		l := o.machine(t)
		_ = o.store.Delete(t.Context(), "snap/000000000006.zst")
		if err := l.SaveSnapshot(t.Context(), statelog.Snapshot{After: statelog.Position{N: 6, Digest: o.at[5].Digest}, Schema: 2}, strings.NewReader("1")); err != nil {
			t.Fatal(err)
		}
		if _, err := o.prune(t, statelog.PruneOptions{}); !fault.Is(err, fault.Corrupt) {
			t.Errorf("error = %v, want %s", err, fault.Corrupt)
		}
	})
}

// TestLog_PruneInterrupted: whatever was removed when it ended, who reads is told that
// entries were removed, never that the log is damaged; and the next call removes the rest.
func TestLog_PruneInterrupted(t *testing.T) {
	for removed := range int64(7) {
		t.Run(fmt.Sprint(removed), func(t *testing.T) {
			o := newOld(t)
			var deleted atomic.Int64
			o.store.Before = func(method, key string) error {
				if method == "Delete" && !strings.HasPrefix(key, "probe/") && deleted.Add(1) > removed {
					return fault.New(fault.Unavailable, "no route to host")
				}
				return nil
			}
			if _, err := o.prune(t, statelog.PruneOptions{}); !fault.Is(err, fault.Unavailable) {
				t.Errorf("error = %v, want %s", err, fault.Unavailable)
			}
			o.store.Before = nil
			for n, at := range o.at {
				got, err := numbersOf(t, o.machine(t), at)
				if !errors.Is(err, statelog.ErrPruned) && (err != nil || len(got) != 12-n) {
					t.Errorf("read after %d: %d, error = %v, want all or ErrPruned", n, got, err)
				}
			}
			if got, err := o.prune(t, statelog.PruneOptions{}); err != nil || got.Through != 6 {
				t.Errorf("pruned again %+v (error = %v), want the rest", got, err)
			}
			if got, err := replay(t, o.machine(t)); err != nil || len(got) != 7 {
				t.Errorf("replay read %d (error = %v), want 7", got, err)
			}
		})
	}
}

// TestLog_PruneAbandoned: beats and probes of killed processes go, those of others stay.
func TestLog_PruneAbandoned(t *testing.T) {
	o := newOld(t)
	l := o.machine(t)
	beat := func(run delivery.RunID) {
		t.Helper()
		if err := l.Beat(t.Context(), run, 1); err != nil {
			t.Fatal(err)
		}
	}
	beat("20260101-000000-dead")
	_ = o.store.Create(t.Context(), "probe/left", nil)
	o.now = o.now.Add(25 * time.Hour)
	beat("20260102-000000-live")
	got, err := o.prune(t, statelog.PruneOptions{})
	if err != nil || got.Abandoned.Objects != 2 {
		t.Errorf("removed %+v (error = %v), want 2", got.Abandoned, err)
	}
	if keys := strings.Join(o.keys(t), " "); !strings.HasPrefix(keys, "beat/20260102-000000-live-1 digests/06 log ") || strings.Contains(keys, "probe") {
		t.Errorf("objects = %s, want the live beat only", keys)
	}
}

// TestLog_ReadLooksOnce: a process looks for prune points and for entries behind a hole
// once, not at each read.
func TestLog_ReadLooksOnce(t *testing.T) {
	o := newOld(t)
	l := o.machine(t)
	var lists atomic.Int64
	o.store.Before = func(method, _ string) error {
		if method == "List" {
			lists.Add(1)
		}
		return nil
	}
	at := o.at[3]
	for i := range 10 {
		var err error
		if at, err = l.Read(t.Context(), at, func(statelog.Entry, statelog.Position) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if at, err = l.Append(t.Context(), at, rows(fmt.Sprint("more ", i))); err != nil {
			t.Fatal(err)
		}
	}
	if got := lists.Load(); got != 2 {
		t.Errorf("%d lists in 10 reads and changes, want 2", got)
	}
}
