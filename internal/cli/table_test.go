package cli

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// TestPrintTable_OneLinePerRow: what a service printed, or a newline in a reason, does
// not break a table.
func TestPrintTable_OneLinePerRow(t *testing.T) {
	var out strings.Builder
	c := &Command{Stdout: &out}
	c.printTable("RELEASE STATE", [][]string{
		{"r-1", "quarantined: it crashed" + delivery.LogHeading + "\n  panic\n  exit 2"},
		{"r-2", "two\nlines\tand a tab"},
	})
	want := "RELEASE  STATE\nr-1      quarantined: it crashed\nr-2      two lines and a tab\n"
	if got := out.String(); got != want {
		t.Errorf("table:\n%s\nwant:\n%s", got, want)
	}
}
