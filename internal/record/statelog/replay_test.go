package statelog_test

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

func TestLog_PrunedDamaged(t *testing.T) {
	for name, damage := range map[string]func(s *fake.ObjectStore){
		"no snapshot":        func(s *fake.ObjectStore) { _ = s.Delete(t.Context(), "snap/000000000006.zst") },
		"damaged snapshot":   func(s *fake.ObjectStore) { s.Change("snap/000000000006.zst", flip) },
		"damaged point":      func(s *fake.ObjectStore) { s.Change("pruned/000000000006.json", flip) },
		"no point":           func(s *fake.ObjectStore) { _ = s.Delete(t.Context(), "pruned/000000000006.json") },
		"no entry after it":  func(s *fake.ObjectStore) { _ = s.Delete(t.Context(), "log/000000000007.json") },
		"another entry":      func(s *fake.ObjectStore) { s.Change("log/000000000007.json", flip) },
		"snapshot of others": func(s *fake.ObjectStore) { forgeSnapshot(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOld(t)
			if _, err := o.prune(t, statelog.PruneOptions{}); err != nil {
				t.Fatal(err)
			}
			damage(o.store)
			if got, err := replay(t, o.machine(t)); !fault.Is(err, fault.Corrupt) || fault.HintOf(err) == "" {
				t.Errorf("replay read %d, error = %v, want %s with a hint", got, err, fault.Corrupt)
			}
		})
	}
}

// flip changes a byte that means something.
func flip(b []byte) []byte { b[len(b)/2] ^= 1; return b }

func forgeSnapshot(t *testing.T, s *fake.ObjectStore) {
	t.Helper()
	l := open(t, s)
	was, err := l.Snapshot(t.Context(), 6)
	if err == nil {
		_ = s.Delete(t.Context(), "snap/000000000006.zst")
		err = l.SaveSnapshot(t.Context(), was, strings.NewReader("forged"))
	}
	if err != nil {
		t.Fatal(err)
	}
}
