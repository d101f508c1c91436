package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// checkout makes a folder with the given files in it.
func checkout(t *testing.T, files ...string) location {
	t.Helper()
	root := t.TempDir()
	for _, f := range files {
		full := filepath.Join(root, f)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte("x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return location{root: root, dir: root}
}

func TestJUnit_Pytest(t *testing.T) {
	at := checkout(t, "tests/test_api.py", "tests/test_broken.py")
	got, err := readJUnit("testdata/pytest.xml", at)
	if err != nil {
		t.Fatal(err)
	}
	if got.passed != 2 || got.failed != 2 || got.skipped != 1 {
		t.Errorf("%d passed, %d failed, %d skipped", got.passed, got.failed, got.skipped)
	}
	want := []step.TestFailure{
		{Name: "tests/test_api.py::test_predict", Location: "tests/test_api.py:12", Message: "AssertionError: assert 500 == 200\n +  where 500 = r.status_code"},
		{Name: "tests/test_broken.py", Location: "tests/test_broken.py:1", Message: "ModuleNotFoundError: No module named 'nothing'"},
	}
	if fmt.Sprint(got.failures) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got.failures, want)
	}
}

func TestJUnit_Forms(t *testing.T) {
	cases := []struct {
		name, xml               string
		passed, failed, skipped int
		broken                  string // part of the error
	}{
		{name: "one suite at the top", xml: `<testsuite><testcase name="a"/></testsuite>`, passed: 1},
		{name: "nested suites", xml: `<testsuites><testsuite><testsuite><testcase name="a"/></testsuite><testcase name="b"><skipped/></testcase></testsuite></testsuites>`, passed: 1, skipped: 1},
		{name: "failure and error in one", xml: `<testsuite><testcase name="a"><failure/><error/></testcase></testsuite>`, failed: 1},
		{name: "skipped but failed", xml: `<testsuite><testcase name="a"><skipped/><failure/></testcase></testsuite>`, failed: 1},
		{name: "a suite's own error", xml: `<testsuite><error message="set-up"/><testcase name="a"/></testsuite>`, passed: 1, failed: 1},
		{name: "counted, not listed", xml: `<testsuites failures="2" errors="1"><testsuite failures="2" errors="1"><testcase name="a"/></testsuite></testsuites>`, passed: 1, failed: 1},
		{name: "counted by two suites, listed once", xml: `<testsuites><testsuite failures="1"><testcase name="a"><failure/></testcase></testsuite><testsuite failures="1"><testcase name="b"/></testsuite></testsuites>`, passed: 1, failed: 2},
		{name: "a retry that passed", xml: `<testsuite failures="0"><testcase name="a"><flakyFailure message="x"/></testcase></testsuite>`, passed: 1},
		{name: "no test", xml: `<testsuites/>`},
		{name: "empty", xml: ``, broken: "empty"},
		{name: "cut off", xml: `<testsuite><testcase name="a"/>`, broken: "incomplete"},
		{name: "another document", xml: `<html><body/></html>`, broken: "not a JUnit report"},
		{name: "no XML", xml: `{"passed": 3}`, broken: "empty"},
		{name: "a count that is none", xml: `<testsuite failures="many"/>`, broken: "want a count"},
		{name: "a negative count", xml: `<testsuite failures="-1"/>`, broken: "want a count"},
		{name: "a test in a test", xml: `<testsuite><testcase name="a"><testcase name="b"/></testcase></testsuite>`, broken: "inside another"},
		{name: "entity bomb", xml: `<!DOCTYPE t [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>`, broken: "incomplete"},
		{name: "external entity", xml: `<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase name="a"><failure>&x;</failure></testcase></testsuite>`, broken: "incomplete"},
		{name: "too deep", xml: strings.Repeat("<testsuite>", 70) + strings.Repeat("</testsuite>", 70), broken: "deep"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseJUnit(strings.NewReader(c.xml), "report.xml", checkout(t))
			if c.broken != "" {
				if err == nil || !strings.Contains(err.Error(), c.broken) || !fault.Is(err, fault.Unavailable) {
					t.Errorf("error %v, want one with %q", err, c.broken)
				}
				return
			}
			if err != nil || got.passed != c.passed || got.failed != c.failed || got.skipped != c.skipped {
				t.Errorf("%d passed, %d failed, %d skipped, %v", got.passed, got.failed, got.skipped, err)
			}
		})
	}
}

func TestJUnit_Files(t *testing.T) {
	dir := t.TempDir()
	at := location{root: dir, dir: dir}
	if _, err := readJUnit(dir+"/none.xml", at); !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" {
		t.Errorf("no report: %v", err)
	}
	big, err := os.Create(dir + "/big.xml")
	if err != nil {
		t.Fatal(err)
	}
	if err := big.Truncate(maxReportBytes + 1); err != nil {
		t.Fatal(err)
	}
	big.Close()
	if _, err := readJUnit(dir+"/big.xml", at); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a report of more than the limit: %v", err)
	}
	many := dir + "/many"
	os.Mkdir(many, 0o755)
	if _, err := readJUnit(many, at); !fault.Is(err, fault.Unavailable) {
		t.Errorf("an empty folder: %v", err)
	}
	os.WriteFile(many+"/a.xml", []byte(`<testsuite><testcase name="a"/></testsuite>`), 0o644)
	os.WriteFile(many+"/b.xml", []byte(`<testsuite><testcase name="b"><failure/></testcase></testsuite>`), 0o644)
	crowded := dir + "/crowded"
	os.Mkdir(crowded, 0o755)
	for i := range maxReportFiles + 1 {
		os.WriteFile(fmt.Sprintf("%s/%d.xml", crowded, i), nil, 0o644)
	}
	if _, err := readJUnit(crowded, at); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "1001 files, more than 1000") {
		t.Errorf("a folder of %d files: %v", maxReportFiles+1, err)
	}
	got, err := readJUnit(many, at)
	if err != nil || got.passed != 1 || got.failed != 1 {
		t.Errorf("two files: %+v, %v", got, err)
	}
}

func TestTally_KeepsFirstFailures(t *testing.T) {
	var xml strings.Builder
	xml.WriteString("<testsuite>")
	for i := range 5000 {
		fmt.Fprintf(&xml, `<testcase name="t%d"><failure message="%s"/></testcase>`, i, strings.Repeat("ä", 5000/(1+i)))
	}
	xml.WriteString("</testsuite>")
	got, err := parseJUnit(strings.NewReader(xml.String()), "report.xml", location{})
	if err != nil || got.failed != 5000 || len(got.failures) != maxFailures {
		t.Fatalf("%d failed, %d kept, %v", got.failed, len(got.failures), err)
	}
	if n := len(got.failures[0].Message); n > maxMessageBytes {
		t.Errorf("a message of %d bytes", n)
	}
}

func TestLocation_StaysInCheckout(t *testing.T) {
	at := checkout(t, "src/a.py")
	outside := filepath.Join(filepath.Dir(at.root), "x.py")
	os.WriteFile(outside, nil, 0o644)
	t.Cleanup(func() { os.Remove(outside) })
	cases := map[string]string{
		"src/a.py:3: no":                            "src/a.py:3",
		at.root + "/src/a.py:4":                     "src/a.py:4",
		`File "src/a.py", line 5, in f`:             "src/a.py:5",
		"../x.py:1 then src/a.py:2":                 "src/a.py:2",
		outside + ":1":                              "",
		"/etc/passwd.d:1":                           "",
		"nowhere.py:1":                              "",
		"at 10:30 o'clock":                          "",
		strings.Repeat("y", 100<<10) + "src/a.py:9": "",
	}
	for text, want := range cases {
		if got := at.find(text); got != want {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
}

func FuzzJUnit(f *testing.F) {
	raw, err := os.ReadFile("testdata/pytest.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw))
	f.Add(`<testsuite errors="1"><testcase name="a"><failure>x.go:1</failure></testcase></testsuite>`)
	f.Add(`<?xml version="1.1" encoding="windows-1252"?><testsuite name="pytest"><testcase name="a"/><testcase name="a"><failure message="&#27;\x1b"/></testcase><testcase name="a"/></testsuite>`)
	at := location{root: f.TempDir(), dir: "/"}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseJUnit(strings.NewReader(text), "report.xml", at)
		holds(t, got, err)
	})
}

// holds are the promises of every tally.
func holds(t *testing.T, got tally, err error) {
	t.Helper()
	if err != nil && (got.failed > 0 || got.passed > 0) {
		t.Errorf("an error and counts as well: %+v, %v", got, err)
	}
	if got.passed < 0 || got.skipped < 0 || got.flaky < 0 || got.flaky > got.passed || len(got.flakyTests) > got.flaky || got.failed < len(got.failures) || len(got.failures) > maxFailures {
		t.Errorf("counts that can't be: %+v", got)
	}
	if got.failed > 0 && len(got.failures) == 0 {
		t.Errorf("%d failed, and none is named", got.failed)
	}
	for _, f := range got.failures {
		if len(f.Message) > maxMessageBytes || len(f.Name) > maxMessageBytes {
			t.Errorf("too long: %.80q", f)
		}
	}
	_ = got.tested().cause(step.JUnit)
}
