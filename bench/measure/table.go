package measure

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"
)

// Table is the table that a benchmark prints. The zero value is empty.
type Table struct{ rows []row }

// row is one line of the table.
type row struct{ what, goal, measured, ok string }

// Add adds a measured value and whether it meets its goal.
func (t *Table) Add(what, goal, measured string, ok bool) {
	mark := "ok"
	if !ok {
		mark = "NOT"
	}
	t.rows = append(t.rows, row{what, goal, measured, mark})
}

// Note adds a value without a goal.
func (t *Table) Note(what, measured string) { t.rows = append(t.rows, row{what, "-", measured, ""}) }

// Print writes the machine, the duration and the rows.
func (t *Table) Print(out io.Writer, took time.Duration) {
	fmt.Fprintf(out, "%s/%s, %d processors, %s, %.0f s\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), took.Seconds())
	w := tabwriter.NewWriter(out, 2, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tGOAL\tMEASURED\t")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.what, r.goal, r.measured, r.ok)
	}
	_ = w.Flush()
}

// Parenthesize returns the error in parentheses after a space, or "" for nil.
func Parenthesize(err error) string {
	if err == nil {
		return ""
	}
	return " (" + err.Error() + ")"
}
