package test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/textline"
)

func silent(string, ...any) {}

// parse feeds text in pieces of the given size.
func parse(text string, at location, piece int) (tally, string, error) {
	var log bytes.Buffer
	g := newGoTest(&log, at, silent)
	for len(text) > 0 {
		n := min(piece, len(text))
		_, _ = g.Write([]byte(text[:n]))
		text = text[n:]
	}
	t, err := g.finish()
	return t, log.String(), err
}

// TestGoTest_Failures reads what go 1.26 printed for a module with a failing subtest,
// a package that does not build, a panic, and a TestMain that exits.
func TestGoTest_Failures(t *testing.T) {
	raw, err := os.ReadFile("testdata/failing.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	at := checkout(t, "a_test.go", "sub/bad/b.go", "sub/bad/b_test.go", "sub/pan/p_test.go", "sub/main/m_test.go")
	at.module, at.moduleDir = "example.com/shop", at.root
	text := strings.ReplaceAll(string(raw), "@ROOT@", at.root)
	want := []step.TestFailure{
		{Name: ".TestTable/two/deep", Location: "a_test.go:7", Message: "want 3, got 4"},
		{Name: "sub/pan.TestBoom", Location: "sub/pan/p_test.go:4", Message: "panic: assignment to entry in nil map [recovered, repanicked]"},
		{Name: "sub/pan.TestPar", Message: "the test did not finish"},
		{Name: "sub/bad", Location: "sub/bad/b.go:2", Message: `cannot use "s" (untyped string constant) as int value in variable declaration`},
		{Name: "sub/main", Message: "no database"},
	}
	want[0].Name = "example.com/shop.TestTable/two/deep"
	for _, piece := range []int{1, 7, 4096, len(text)} {
		got, log, err := parse(text, at, piece)
		if err != nil {
			t.Fatal(err)
		}
		if got.passed != 2 || got.failed != 5 || got.skipped != 1 {
			t.Errorf("%d passed, %d failed, %d skipped", got.passed, got.failed, got.skipped)
		}
		for i := range got.failures {
			got.failures[i].Message = textline.First(got.failures[i].Message)
		}
		if fmt.Sprint(got.failures) != fmt.Sprint(want) {
			t.Errorf("got  %q\nwant %q", got.failures, want)
		}
		readable(t, log)
	}
}

func readable(t *testing.T, log string) {
	t.Helper()
	if strings.Contains(log, `"Action"`) {
		t.Errorf("the log shows JSON:\n%s", log)
	}
	for _, want := range []string{"a_test.go:7: want 3, got 4", "panic: assignment to entry in nil map", "sub/bad/b.go:2:13:", "FAIL\texample.com/shop\t", "no database"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, "hello") {
		t.Error("the log shows what a passed test printed")
	}
}

func TestGoTest_Forms(t *testing.T) {
	ev := func(action, test, more string) string {
		return fmt.Sprintf(`{"Action":%q,"Package":"p","Test":%q%s}`+"\n", action, test, more)
	}
	pass := ev("run", "TestA", "") + ev("pass", "TestA", "")
	end := ev("pass", "", "")
	cases := []struct {
		name, text              string
		passed, failed, skipped int
		log                     string
	}{
		{name: "all is well", text: pass + end, passed: 1},
		{name: "lines between", text: "go: downloading x v1\n" + pass + "{not json}\n" + end, passed: 1, log: "go: downloading x v1\n{not json}\n"},
		{name: "a beginning by another process", text: `warning: x{"Time":"2026-01-02T03:04:05Z","Action":"pass","Package":"p","Test":"TestA"}` + "\n" + end, passed: 1, log: "warning: x\n"},
		{name: "no newline at the end", text: pass + strings.TrimSpace(end), passed: 1},
		{name: "only parents of passed subtests", text: ev("run", "TestA", "") + ev("run", "TestA/x", "") + ev("pass", "TestA/x", "") + ev("pass", "TestA", "") + end, passed: 1},
		{name: "a parent fails after its subtests", text: ev("run", "TestA", "") + ev("run", "TestA/x", "") + ev("pass", "TestA/x", "") + ev("fail", "TestA", "") + ev("fail", "", ""), passed: 1, failed: 1},
		{name: "a test that never ended in a package that passed", text: ev("run", "TestA", "") + end, failed: 1},
		{name: "a package that never ended", text: pass, passed: 1, failed: 1},
		{name: "package fails, its tests do not", text: pass + ev("output", "", `,"Output":"exit status 3\n"`) + ev("fail", "", ""), passed: 1, failed: 1, log: "exit status 3\n"},
		{name: "no test files", text: ev("output", "", `,"Output":"?   \tp\t[no test files]\n"`) + ev("skip", "", ""), log: "?   \tp\t[no test files]\n"},
		{name: "build without a run", text: `{"ImportPath":"q","Action":"build-output","Output":"q.go:1: no\n"}` + "\n" + `{"ImportPath":"q","Action":"build-fail"}` + "\n", failed: 1, log: "q.go:1: no\n"},
		{name: "one broken build for two packages", text: `{"ImportPath":"q","Action":"build-fail"}` + "\n" + ev("fail", "", `,"FailedBuild":"q"`) + `{"Action":"fail","Package":"p2","FailedBuild":"q"}` + "\n", failed: 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, log, err := parse(c.text, checkout(t), 5)
			if err != nil || got.passed != c.passed || got.failed != c.failed || got.skipped != c.skipped {
				t.Errorf("%d passed, %d failed, %d skipped, %v", got.passed, got.failed, got.skipped, err)
			}
			if log != c.log {
				t.Errorf("log %q, want %q", log, c.log)
			}
		})
	}
}

func TestGoTest_WithoutEvents(t *testing.T) {
	_, log, err := parse("ok  \tp\t0.1s\n", location{}, 100)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.HintOf(err), "-json") {
		t.Errorf("error = %v, want %s", err, fault.Unavailable)
	}
	if log != "ok  \tp\t0.1s\n" {
		t.Errorf("log %q", log)
	}
}

func TestGoTest_OutputIsBounded(t *testing.T) {
	var o output
	for range 1000 {
		o.add(strings.Repeat("x", 1000))
	}
	o.add("the end")
	if len(o.text) > 2*maxOutputBytes || !strings.HasSuffix(o.String(), "the end") || !strings.HasPrefix(o.String(), "...\n") {
		t.Errorf("kept %d bytes", len(o.text))
	}
}

func FuzzGoTest(f *testing.F) {
	raw, err := os.ReadFile("testdata/failing.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw), 100)
	f.Add(`{"Action":"fail","Package":"p","Test":"T/a"}`, 1)
	at := location{root: f.TempDir(), dir: "/"}
	f.Fuzz(func(t *testing.T, text string, piece int) {
		whole, _, err := parse(text, at, len(text)+1)
		holds(t, whole, err)
		parts, _, err2 := parse(text, at, max(1, piece))
		if fmt.Sprint(whole, err) != fmt.Sprint(parts, err2) {
			t.Errorf("read in pieces it is another report: %v, %v", whole, parts)
		}
	})
}
