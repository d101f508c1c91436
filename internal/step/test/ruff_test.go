package test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

const twoFindings = `[
  {"cell": null, "code": "F401", "filename": "@ROOT@/server/app.py", "location": {"column": 8, "row": 1},
   "message": "` + "`os`" + ` imported but unused", "noqa_row": 1, "url": "https://example.com/F401"},
  {"code": null, "filename": "server/bad.py", "location": {"column": 7, "row": 3}, "message": "SyntaxError: Expected an expression"}
]`

// read feeds what a command printed in pieces of that size, and what it wrote.
func readRuff(t *testing.T, printed, written string, piece int) (tally, string, error) {
	t.Helper()
	at := checkout(t, "server/app.py", "server/bad.py")
	printed = strings.ReplaceAll(printed, "@ROOT@", at.root)
	var log bytes.Buffer
	r := &ruff{log: &log, location: at}
	for len(printed) > 0 {
		n := min(piece, len(printed))
		_, _ = r.Write([]byte(printed[:n]))
		printed = printed[n:]
	}
	report := filepath.Join(t.TempDir(), "report")
	if written != "" {
		if err := os.WriteFile(report, []byte(strings.ReplaceAll(written, "@ROOT@", at.root)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.finish(report)
	return got, log.String(), err
}

func TestRuff_Findings(t *testing.T) {
	want := []step.TestFailure{
		{Name: "F401", Location: "server/app.py:1:8", Message: "`os` imported but unused"},
		{Name: "invalid-syntax", Location: "server/bad.py:3:7", Message: "SyntaxError: Expected an expression"},
	}
	told := "server/app.py:1:8: F401 `os` imported but unused\nserver/bad.py:3:7: invalid-syntax SyntaxError: Expected an expression\n"
	for name, c := range map[string]struct{ printed, written, log string }{
		"printed":               {twoFindings, "", told},
		"with lines around":     {"warning: old option\n" + twoFindings + "\nFound 2 errors\n", "", "warning: old option\nFound 2 errors\n" + told},
		"written":               {"", twoFindings, told},
		"written, with a story": {"checking\n", twoFindings, "checking\n" + told},
		"in one line":           {strings.ReplaceAll(strings.ReplaceAll(twoFindings, "\n", ""), "[  {", "[{"), "", told},
		"two runs":              {"[]\n" + twoFindings + "\n[]", "", told},
	} {
		for _, piece := range []int{1, 7, 1 << 20} {
			got, log, err := readRuff(t, c.printed, c.written, piece)
			if err != nil || got.failed != 2 || fmt.Sprint(got.failures) != fmt.Sprint(want) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			if log != c.log {
				t.Errorf("%s: log %q", name, log)
			}
		}
	}
	if cause := (tally{failed: 2, failures: want}).tested().cause(step.Ruff); cause != "2 findings: F401 (server/app.py:1:8): `os` imported but unused; invalid-syntax (server/bad.py:3:7): SyntaxError: Expected an expression" {
		t.Error(cause)
	}
}

func TestRuff_InvalidReports(t *testing.T) {
	for name, c := range map[string]struct{ printed, written, says string }{
		"nothing":               {"", "", "no ruff JSON"},
		"its usual form":        {"server/app.py:1:8: F401 unused\n", "", "no ruff JSON"},
		"a cut list":            {`[{"code": "F401"`, "", "incomplete"},
		"other JSON":            {`[{"name": "x"}]`, "", "incomplete"},
		"an object in the file": {"", `{"version": "2.1.0"}`, "incomplete"},
		"no file at all":        {"warning: No Python files found under the given path(s)\n[]", "", "found no Python file"},
	} {
		got, _, err := readRuff(t, c.printed, c.written, 5)
		if !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), c.says) || got.failed > 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestRun_Ruff: the exit decides first, and ruff needs no test to have passed.
func TestRun_Ruff(t *testing.T) {
	list := `echo '[{"code": "E1", "filename": "server/a.py", "location": {"row": 2, "column": 1}, "message": "no"}]'`
	for _, c := range []struct {
		run     string
		outcome delivery.Outcome
		says    string
		verdict delivery.Verdict
	}{
		{"echo '[]'", delivery.OutcomeSucceeded, "no findings", ""},
		{"printf '[]' > {{.Report}}; echo fine", delivery.OutcomeSucceeded, "no findings", ""},
		{list + "; exit 1", delivery.OutcomeFailed, "1 finding: E1 (server/a.py:2:1): no", delivery.Failed},
		{list + " > {{.Report}}; exit 1", delivery.OutcomeFailed, "1 finding: E1", delivery.Failed},
		{list, delivery.OutcomeFailed, "1 finding", delivery.Failed},
		{"echo '[]'; exit 2", delivery.OutcomeFailed, "exit 2", delivery.Failed},
		{"echo fine", delivery.OutcomeFailed, "no ruff JSON", delivery.Unavailable},
		{"echo 'warning: No Python files found under the given path(s)' >&2; echo '[]'", delivery.OutcomeFailed, "no Python file", delivery.Unavailable},
	} {
		t.Run(c.run, func(t *testing.T) {
			w := step.TestParams{Run: c.run, Report: step.Ruff}
			res, err := Step{Commands: fake.Shell{}, Environ: environ}.Run(t.Context(), ask(t, w, &bytes.Buffer{}))
			if err != nil || res.Outcome != c.outcome || !strings.Contains(res.Summary+"\n"+res.Cause, c.says) {
				t.Errorf("%s: %+v, %v", c.run, res, err)
			}
			if c.verdict != "" && (len(res.GateResults) != 1 || res.GateResults[0].Verdict != c.verdict) {
				t.Errorf("%s: answers %v", c.run, res.GateResults)
			}
		})
	}
}

// TestRun_EnvironmentFails: that nothing could be installed is no failed test.
func TestRun_EnvironmentFails(t *testing.T) {
	bin := t.TempDir()
	python := "#!/bin/sh\ncase \"$1 $2\" in\n\"-I -c\") echo \"{\\\"version\\\": \\\"3.11.7\\\", \\\"executable\\\": \\\"$0\\\"}\";;\n" +
		"\"-m venv\") mkdir -p \"$3/bin\"; cp \"$0\" \"$3/bin/python\";;\n" +
		"\"-m pip\") echo \"$SAY\"; exit $CODE;;\nesac\n"
	if err := os.WriteFile(bin+"/python3", []byte(python), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		say, code string
		outcome   delivery.Outcome
		says      string
		verdict   delivery.Verdict
	}{
		{"ok", "0", delivery.OutcomeSucceeded, "exit 0", ""},
		{"ERROR: No matching distribution found for foo==9.9", "1", delivery.OutcomeFailed, "install server/r.txt: no matching distribution for foo==9.9", delivery.Failed},
		{"WARNING: Retrying after connection broken by 'x'", "1", delivery.OutcomeFailed, "investigate: install server/r.txt: the package index is unreachable", delivery.Unavailable},
	} {
		t.Run(c.say, func(t *testing.T) {
			w := step.TestParams{Run: `test -n "$VIRTUAL_ENV" && case "$PATH" in "$VIRTUAL_ENV/bin:"*) ;; *) exit 9;; esac`, Python: &step.PythonParams{Requirements: "server/r.txt"}}
			r := ask(t, w, &bytes.Buffer{})
			r.ArtifactsDir = t.TempDir()
			root, _ := r.Checkout(t.Context())
			if err := os.WriteFile(root+"/server/r.txt", []byte("foo==9.9\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			s := Step{Commands: fake.Shell{}, Environ: func() []string {
				return []string{"PATH=" + bin + ":/usr/bin:/bin", "PYTHON_SAY=x", "SAY=" + c.say, "CODE=" + c.code}
			}}
			w.Env = map[string]string{"SAY": "${SAY}", "CODE": "${CODE}"}
			r.Spec.Params = with(t, w)
			res, err := s.Run(t.Context(), r)
			if err != nil || res.Outcome != c.outcome || !strings.Contains(res.Summary+"\n"+res.Cause, c.says) {
				t.Errorf("%s: %+v, %v", c.say, res, err)
			}
			if c.verdict != "" && (len(res.GateResults) != 1 || res.GateResults[0].Verdict != c.verdict || res.Hint == "") {
				t.Errorf("%s: answers %v, hint %q", c.say, res.GateResults, res.Hint)
			}
		})
	}
}

func with(t *testing.T, w step.TestParams) []byte {
	t.Helper()
	return ask(t, w, &bytes.Buffer{}).Spec.Params
}

func FuzzRuff(f *testing.F) {
	f.Add(twoFindings, 3)
	f.Add("[]\nx\n", 1)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		r := &ruff{location: location{root: "/nowhere", dir: "/nowhere"}}
		for rest := text; len(rest) > 0; {
			n := min(max(1, piece), len(rest))
			_, _ = r.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		got, err := r.finish("/nowhere/report")
		holds(t, got, err)
	})
}
