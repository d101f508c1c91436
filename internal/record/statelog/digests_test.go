package statelog_test

import (
	"fmt"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// TestLog_DigestAt: the digest of an entry is known as long as the log is, also when the
// entry was removed. One that was never there, or was lost, has none.
func TestLog_DigestAt(t *testing.T) {
	s := &fake.ObjectStore{}
	l := open(t, s)
	want := map[int64]delivery.Digest{}
	var p statelog.Position
	for n := range int64(9) {
		p = appendAfter(t, l, p, fmt.Sprint(n))
		want[p.N] = p.Digest
	}
	remove := func(n int64) {
		t.Helper()
		if err := s.Delete(t.Context(), fmt.Sprintf("log/%012d.json", n)); err != nil {
			t.Fatal(err)
		}
	}
	keep := func(first, last int64) {
		t.Helper()
		var digests []delivery.Digest
		for n := first; n <= last; n++ {
			digests = append(digests, want[n])
		}
		for range 2 { // as after an interruption
			if err := l.SaveDigests(t.Context(), first, digests); err != nil {
				t.Fatal(err)
			}
		}
		for n := first; n <= last; n++ {
			remove(n)
		}
	}
	keep(1, 3)
	keep(4, 6)
	remove(8) // lost
	for n := int64(1); n <= 11; n++ {
		got, err := l.DigestAt(t.Context(), n)
		switch lost := n == 8 || n > 9; {
		case lost && !fault.Is(err, fault.NotFound):
			t.Errorf("entry %d: %s, %v, want %s", n, got, err, fault.NotFound)
		case !lost && (err != nil || got != want[n]):
			t.Errorf("entry %d: %s, %v, want %s", n, got, err, want[n])
		}
	}
}

// TestLog_Prune_KeepsDigests: a target may remember an entry that was removed since.
func TestLog_Prune_KeepsDigests(t *testing.T) {
	o := newOld(t)
	for _, snapshots := range [][]int64{{3, 6}, {3, 6, 9}} { // up to 3, then up to 6
		if _, err := o.prune(t, statelog.PruneOptions{Snapshots: snapshots}); err != nil {
			t.Fatal(err)
		}
		for n, want := range o.at[1:] {
			if got, err := o.machine(t).DigestAt(t.Context(), int64(n+1)); err != nil || got != want.Digest {
				t.Errorf("entry %d: %s, %v, want %s", n+1, got, err, want.Digest)
			}
		}
	}
}

func appendAfter(t *testing.T, l *statelog.Log, after statelog.Position, text string) statelog.Position {
	t.Helper()
	p, err := l.Append(t.Context(), after, rows(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
