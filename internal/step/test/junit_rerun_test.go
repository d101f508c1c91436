package test

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/step"
)

func TestJUnit_Reruns(t *testing.T) {
	const (
		pass = `<testcase classname="pkg" name="TestA" time="0.1"></testcase>`
		fail = `<testcase classname="pkg" name="TestA" time="0.1"><failure message="Failed" type="">a_test.go:7: no</failure></testcase>`
		more = `<testcase classname="pkg" name="TestB" time="0.1"></testcase>`
	)
	gotestsum := func(failures, cases string) string {
		return `<testsuites tests="3" failures="` + failures + `" errors="0"><testsuite tests="3" failures="` + failures + `" name="pkg">` + cases + `</testsuite></testsuites>`
	}
	pytest := func(cases string) string {
		return `<testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="0" tests="2">` + cases + `</testsuite></testsuites>`
	}
	cases := []struct {
		name, xml, summary string
		flaky              []string
	}{
		{"surefire, passed at last", `<testsuite tests="2" errors="0" failures="0" flakes="1"><testcase name="a" classname="T">
			<flakyFailure message="no" type="AssertionError"><stackTrace>T.java:3</stackTrace><system-out>x</system-out></flakyFailure>
			<flakyError message="no"><stackTrace>T.java:3</stackTrace></flakyError></testcase><testcase name="b" classname="T"/></testsuite>`, "2 passed, 1 flaky", []string{"T.a"}},
		{"surefire, failed at last", `<testsuite tests="1" errors="0" failures="1"><testcase name="a" classname="T"><failure message="no">T.java:3</failure>
			<rerunFailure message="no"><stackTrace>T.java:3</stackTrace></rerunFailure></testcase></testsuite>`, "1 failed, 0 passed", nil},
		{"gotestsum, passed at last", gotestsum("2", fail+more+fail+pass), "2 passed, 1 flaky", []string{"pkg.TestA"}},
		{"gotestsum, failed at last", gotestsum("2", fail+more+fail), "2 failed, 1 passed", nil},
		{"passed before it failed", gotestsum("1", pass+fail), "1 failed, 1 passed", nil},
		{"failed, passed, failed", gotestsum("2", fail+pass+fail), "1 failed, 0 passed", nil},
		{"failed, passed twice", gotestsum("1", fail+pass+pass), "2 passed, 1 flaky", []string{"pkg.TestA"}},
		{"two tests of one name", gotestsum("0", pass+pass), "2 passed", nil},
		{"one name in two classes", gotestsum("1", fail+strings.ReplaceAll(pass, "pkg", "other")), "1 failed, 1 passed", nil},
		{"counted more often than listed", gotestsum("3", fail+pass), "1 failed, 1 passed, 1 flaky", []string{"pkg.TestA"}},
		{"pytest-rerunfailures, passed at last", pytest(pass + pass + pass + more), "2 passed, 1 flaky", []string{"pkg.TestA"}},
		{"pytest-rerunfailures, failed at last", strings.Replace(pytest(pass+fail+more), `failures="0"`, `failures="1"`, 1), "1 failed, 1 passed", nil},
		{"a hundred that passed at last", gotestsum("101", strings.Repeat(fail, 100)+strings.ReplaceAll(fail, "TestA", "TestC")+pass), "1 failed, 1 passed, 1 flaky", []string{"pkg.TestA"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseJUnit(strings.NewReader(c.xml), "report.xml", location{})
			if err != nil {
				t.Fatal(err)
			}
			if s := got.tested().summary(step.JUnit); s != c.summary || !slices.Equal(got.flakyTests, c.flaky) {
				t.Errorf("%s, flaky %q; want %s, %q", s, got.flakyTests, c.summary, c.flaky)
			}
			holds(t, got, nil)
		})
	}
}
