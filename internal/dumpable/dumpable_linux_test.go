package dumpable

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestClear(t *testing.T) {
	flag := func() int {
		t.Helper()
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, tt := range []struct {
		name   string
		change func() error
		want   int
	}{{"clear", Clear, 0}, {"set", Set, 1}} {
		if err := tt.change(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := flag(); got != tt.want {
			t.Errorf("%s: dumpable = %d, want %d", tt.name, got, tt.want)
		}
	}
}
