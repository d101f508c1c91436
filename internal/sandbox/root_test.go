//go:build linux

package sandbox

import "testing"

func TestMapsSeveral(t *testing.T) {
	for _, tt := range []struct {
		name, uidMap string
		want         bool
	}{
		{"initial namespace", "         0          0 4294967295\n", true},
		{"unshare -r", "         0       1000          1\n", false},
		{"rootless container", "         0       1000          1\n         1     100000      65536\n", true},
		{"none yet", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := mapsSeveral(tt.uidMap); got != tt.want {
				t.Errorf("mapsSeveral(%q) = %v, want %v", tt.uidMap, got, tt.want)
			}
		})
	}
}
