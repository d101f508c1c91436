package test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

// TestGoTest_TooManyTests: more tests than can be told apart in bounded memory are no
// result, however many of them passed.
func TestGoTest_TooManyTests(t *testing.T) {
	memorytest.Run(t, 4*maxTestNames, func() {
		g := newGoTest(io.Discard, location{}, silent)
		name := strings.Repeat("x", 4<<10)
		for i := range maxTestNames/len(name) + 100 {
			fmt.Fprintf(g, `{"Action":"pass","Package":"p","Test":"%s%d"}`+"\n", name, i)
		}
		if _, err := g.finish(); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "more than 1000000 tests") {
			t.Errorf("error = %v, want %s", err, fault.Unavailable)
		}
	})
}

// TestGoTest_LongOutputs: the outputs of all tests together are limited. They are only
// what a failure shows: the verdict stays.
func TestGoTest_LongOutputs(t *testing.T) {
	memorytest.Run(t, 3*maxKeptOutput, func() {
		g := newGoTest(io.Discard, location{}, silent)
		text := strings.Repeat("y", 32<<10)
		const tests = 4 * maxKeptOutput / (64 << 10) // twice what is kept
		for i := range tests {
			fmt.Fprintf(g, `{"Action":"output","Package":"p","Test":"T%d","Output":"%s"}`+"\n", i, text)
		}
		for i := range tests {
			fmt.Fprintf(g, `{"Action":"fail","Package":"p","Test":"T%d"}`+"\n", i)
		}
		got, err := g.finish()
		if err != nil || got.failed != tests {
			t.Errorf("%d failures, %v, want %d", got.failed, err, tests)
		}
	})
}

// TestJUnit_Deep: a report that is nested without end is refused.
func TestJUnit_Deep(t *testing.T) {
	for levels, refused := range map[int]bool{maxDepth: false, maxDepth + 1: true} {
		text := strings.Repeat("<testsuite>", levels) + strings.Repeat("</testsuite>", levels)
		if _, err := parseJUnit(strings.NewReader(text), "report.xml", location{}); refused != (err != nil) {
			t.Errorf("%d levels: error = %v, want one: %v", levels, err, refused)
		}
	}
}

// TestRuff_LargeReport: findings beyond the limit are not counted as if they were all.
func TestRuff_LargeReport(t *testing.T) {
	memorytest.Run(t, 6*maxReportBytes, func() {
		r := &ruff{}
		_, _ = io.WriteString(r, "[\n")
		line := []byte(`{"code": "F401", "filename": "a.py", "message": "` + strings.Repeat("x", 1<<16) + `"},` + "\n")
		for range 2 * maxReportBytes / len(line) {
			_, _ = r.Write(line)
		}
		if _, err := r.finish(t.TempDir() + "/none"); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "more than 67108864") {
			t.Errorf("error = %v, want %s", err, fault.Unavailable)
		}
	})
}
