// Command awstable reads the output of `go test -json` and prints the table of docs/aws.md:
// what of AWS works, and which of its tests passed. A row without a test, and a test that
// did not run, fail. With -run, it prints the pattern of the tests instead.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

const page = "docs/aws.md"

func main() {
	pattern := flag.Bool("run", false, "print the pattern for go test -run")
	flag.Parse()
	text, err := os.ReadFile(page)
	if err != nil {
		fmt.Fprintln(os.Stderr, "awstable:", err)
		os.Exit(2)
	}
	rows := parse(string(text))
	if *pattern {
		fmt.Println("^(" + strings.Join(tests(rows), "|") + ")$")
		return
	}
	outcomes, said, n := read(os.Stdin)
	ok := report(os.Stdout, rows, outcomes)
	n.print(os.Stdout)
	if !ok || len(said) > 0 {
		fmt.Println(strings.Join(said, ""))
		os.Exit(1)
	}
}

// row is a row of the table.
type row struct {
	part  string
	tests []string
}

var testName = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")

// parse returns the rows of the page's first table.
func parse(text string) (rows []row) {
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		if len(cells) != 3 || strings.HasPrefix(cells[0], "---") || strings.TrimSpace(cells[0]) == "part" {
			continue
		}
		r := row{part: strings.TrimSpace(cells[0])}
		for _, m := range testName.FindAllStringSubmatch(cells[2], -1) {
			r.tests = append(r.tests, m[1])
		}
		if strings.Contains(cells[2], "`make drivers`") {
			continue // by another target
		}
		rows = append(rows, r)
	}
	return rows
}

func tests(rows []row) (all []string) {
	for _, r := range rows {
		all = append(all, r.tests...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// read returns how the tests ended, by name, what those that failed said, and what tests
// noted for the report.
func read(from io.Reader) (outcomes map[string]string, said []string, n notes) {
	outcomes, n = map[string]string{}, newNotes()
	output, begun := map[string][]string{}, map[string]string{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var l struct{ Action, Package, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			said = append(said, lines.Text()+"\n") // of the compiler
			continue
		}
		at := l.Package + " " + l.Test
		switch l.Action {
		case "output":
			output[at] = append(output[at], l.Output)
			begun[at] += l.Output // go test divides long lines
			if strings.HasSuffix(begun[at], "\n") {
				n.add(begun[at])
				delete(begun, at)
			}
		case "pass", "skip", "fail":
			if l.Action == "fail" {
				said = append(said, output[at]...)
			}
			if l.Test != "" && outcomes[l.Test] != "fail" {
				outcomes[l.Test] = l.Action
			}
		}
	}
	return outcomes, said, n
}

func report(to io.Writer, rows []row, outcomes map[string]string) (ok bool) {
	ok = len(rows) > 0
	for _, r := range rows {
		var parts []string
		for _, name := range r.tests {
			outcome := outcomes[name]
			if outcome == "" {
				outcome = "DID NOT RUN"
			}
			ok = ok && outcome == "pass"
			parts = append(parts, name+" "+outcome)
		}
		if len(parts) == 0 {
			ok, parts = false, []string{"NO TEST"}
		}
		fmt.Fprintf(to, "%-40s %s\n", r.part, strings.Join(parts, ", "))
	}
	return ok
}
