package statelog_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

func TestLog_AppendManyRows(t *testing.T) {
	s := &fake.ObjectStore{}
	l := open(t, s)
	long := strings.Repeat("a long row, ", 200_000)
	appendAll(t, l, "a", long, "b")
	if got, _ := readAll(t, open(t, s), statelog.Position{}); !cmp.Equal(got, []string{"a", long, "b"}) {
		t.Errorf("read %d entries, want the same three", len(got))
	}
	packed, err := s.List(t.Context(), "rows/", "", 10)
	if err != nil || len(packed) != 1 || packed[0].Size > 100_000 {
		t.Fatalf("packed rows = %v (error = %v), want one small object", packed, err)
	}
	for _, damage := range []func(){
		func() { s.Change(packed[0].Key, flip) },
		func() { _ = s.Delete(t.Context(), packed[0].Key) },
	} {
		damage()
		if _, err := replay(t, open(t, s)); !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "entry 2") {
			t.Errorf("error = %v, want %s about entry 2", err, fault.Corrupt)
		}
	}
}
