// Command drivers reads the output of `go test -json` and prints one table: which tests
// passed with which driver of the shared state, and how many kills each survived. It
// fails if a test failed, and prints what that test said.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
)

func main() {
	r, err := read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "drivers:", err)
		os.Exit(2)
	}
	r.print(os.Stdout)
	if r.failed {
		os.Exit(1)
	}
}

// line is a line of `go test -json`.
type line struct {
	Action, Package, Test, Output string
	Key, Value                    string // of an attribute
}

// results are what the tests came to, by test and driver: the same test of several
// packages is one.
type results struct {
	cells  map[string]map[string]string
	kills  map[string]int
	said   []string // by tests that failed
	failed bool
}

func read(from io.Reader) (*results, error) {
	r := &results{cells: map[string]map[string]string{}, kills: map[string]int{}}
	output := map[string][]string{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			r.said = append(r.said, lines.Text()+"\n") // of the compiler
			continue
		}
		at := l.Package + " " + l.Test
		switch l.Action {
		case "output":
			output[at] = append(output[at], l.Output)
		case "attr":
			if driver, _ := driverOf(l.Test); driver != "" && l.Key == "kills" {
				n, err := strconv.Atoi(l.Value)
				if err != nil {
					return nil, fmt.Errorf("%s: kills: %w", at, err)
				}
				r.kills[driver] += n
			}
		case "fail":
			r.failed = true
			r.said = append(r.said, output[at]...)
			r.set(l, "FAIL")
		case "pass":
			r.set(l, "ok")
		case "skip":
			r.set(l, "skipped")
		}
		if l.Action == "fail" || l.Action == "pass" || l.Action == "skip" {
			delete(output, at)
		}
	}
	return r, lines.Err()
}

// driverOf returns the driver that a test is of, and the test's name without it:
// TestView_Drivers/s3 is TestView_Drivers of s3.
func driverOf(test string) (driver, name string) {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		if slices.Contains(objecttest.Drivers(), part) {
			return part, strings.Join(slices.Delete(parts, i, i+1), "/")
		}
	}
	return "", test
}

// set notes the result of a test of a driver as a whole; its parts are counted there.
func (r *results) set(l line, result string) {
	driver, name := driverOf(l.Test)
	if driver == "" || strings.Count(name, "/") > 0 {
		return
	}
	if r.cells[name] == nil {
		r.cells[name] = map[string]string{}
	}
	r.cells[name][driver] = result
}

func (r *results) print(to io.Writer) {
	for _, text := range r.said {
		fmt.Fprint(to, text)
	}
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "test\t%s\n", strings.Join(objecttest.Drivers(), "\t"))
	for _, row := range slices.Sorted(maps.Keys(r.cells)) {
		fmt.Fprint(table, row)
		for _, driver := range objecttest.Drivers() {
			fmt.Fprint(table, "\t", cmp.Or(r.cells[row][driver], "-"))
		}
		fmt.Fprintln(table)
	}
	fmt.Fprint(table, "kills")
	for _, driver := range objecttest.Drivers() {
		fmt.Fprint(table, "\t", r.kills[driver])
	}
	fmt.Fprintln(table)
	_ = table.Flush() // to a terminal or a pipe
}
