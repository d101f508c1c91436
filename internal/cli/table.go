package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// printTable writes rows in columns. header has one word for each column.
func (c *Command) printTable(header string, rows [][]string) {
	w := tabwriter.NewWriter(c.Stdout, 2, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(strings.Fields(header), "\t"))
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	_ = w.Flush()
}
