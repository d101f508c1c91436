package delivery_test

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func TestName(t *testing.T) {
	for _, c := range []struct {
		name              string
		label, step, file bool // with at most 63 bytes
	}{
		{"", false, false, false},
		{"a", true, true, true},
		{"retail-api", true, true, true},
		{"test.unit_1", false, true, true},
		{"Rollback.deploy", false, false, true},
		{"-a", false, false, false},
		{"a-", false, false, true},
		{"..", false, false, false},
		{"a/b", false, false, false},
		{"a\n", false, false, false},
		{strings.Repeat("a", 63), true, true, true},
		{strings.Repeat("a", 64), false, true, false},
		{strings.Repeat("a", 83), false, false, false},
	} {
		n := delivery.Name(c.name)
		if n.IsLabel() != c.label || n.IsStepName() != c.step || n.IsFileName(63) != c.file {
			t.Errorf("%q: label %v, step %v, file %v", c.name, n.IsLabel(), n.IsStepName(), n.IsFileName(63))
		}
	}
}
