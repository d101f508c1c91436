package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/textline"
)

// printTable writes rows in columns, each on one line: the lines of a log in a reason
// are left to JSON. header has one word for each column.
func (c *Command) printTable(header string, rows [][]string) {
	w := tabwriter.NewWriter(c.Stdout, 2, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(strings.Fields(header), "\t"))
	for _, r := range rows {
		cells := make([]string, len(r))
		for i, text := range r {
			text, _, _ = strings.Cut(text, delivery.LogHeading)
			cells[i] = textline.Printable(text, 0)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush()
}
