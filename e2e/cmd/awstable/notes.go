package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// noteMark begins what a test logs for the report, on one line:
//
//	awstable: calls SERVICE.OPERATION=COUNT ...    requests that AWS's models took
//	awstable: covered NAME SERVICE.OPERATION ...   what NAME, a second opinion, answered, too
//	awstable: TEXT                                 a line of the report
const noteMark = "awstable: "

// notes are what the tests logged for the report, added up.
type notes struct {
	calls   map[string]int             // by operation
	covered map[string]map[string]bool // by second opinion and operation
	lines   []string
}

func newNotes() notes { return notes{calls: map[string]int{}, covered: map[string]map[string]bool{}} }

// add takes a line of a test's output.
func (n *notes) add(output string) {
	_, text, ok := strings.Cut(strings.TrimSpace(output), noteMark)
	if !ok {
		return
	}
	words := strings.Fields(text)
	switch {
	case len(words) > 0 && words[0] == "calls":
		for _, word := range words[1:] {
			operation, count, _ := strings.Cut(word, "=")
			if c, err := strconv.Atoi(count); err == nil {
				n.calls[operation] += c
			}
		}
	case len(words) > 1 && words[0] == "covered":
		if n.covered[words[1]] == nil {
			n.covered[words[1]] = map[string]bool{}
		}
		for _, operation := range words[2:] {
			n.covered[words[1]][operation] = true
		}
	default:
		n.lines = append(n.lines, text)
	}
}

// print writes the lines, and the coverage of the contract: which operations are used, how
// many requests AWS's models took, and which of the operations a second opinion answered.
func (n *notes) print(to io.Writer) {
	for _, line := range n.lines {
		fmt.Fprintln(to, line)
	}
	requests, opinions := 0, slices.Sorted(maps.Keys(n.covered))
	used := slices.Sorted(maps.Keys(n.calls))
	for _, operation := range used {
		requests += n.calls[operation]
	}
	fmt.Fprintf(to, "%d operations used, %d requests validated by AWS's models", len(used), requests)
	for _, name := range opinions {
		fmt.Fprintf(to, ", %d operations covered by %s", n.both(name), name)
	}
	fmt.Fprintln(to, ":")
	for _, operation := range used {
		fmt.Fprintf(to, "  %-40s %6d", operation, n.calls[operation])
		for _, name := range opinions {
			mark := ""
			if n.covered[name][operation] {
				mark = name
			}
			fmt.Fprintf(to, "  %-*s", len(name), mark)
		}
		fmt.Fprintln(to)
	}
}

// both counts the operations that are used and were answered by the second opinion.
func (n *notes) both(opinion string) (count int) {
	for operation := range n.calls {
		if n.covered[opinion][operation] {
			count++
		}
	}
	return count
}
