package provenance

import (
	"fmt"
	"strings"
	"testing"
)

// TestParse_TooManySubjects: what a statement is about is one thing, or a few.
func TestParse_TooManySubjects(t *testing.T) {
	for n, refused := range map[int]bool{maxSubjects: false, maxSubjects + 1: true} {
		subjects := strings.TrimSuffix(strings.Repeat(`{"name":"x","digest":{"sha256":"0"}},`, n), ",")
		_, err := Parse(fmt.Appendf(nil, `{"_type":%q,"subject":[%s]}`, StatementType, subjects))
		if refused != (err != nil) {
			t.Errorf("%d subjects: error = %v, want one: %v", n, err, refused)
		}
	}
}
