package test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/textline"
)

// TestPytest_Forms: what pytest writes about a failure, and what people are told.
func TestPytest_Forms(t *testing.T) {
	at := checkout(t, "tests/test_shop.py", "tests/conftest.py", "tests/test_syntax.py", "shop/price.py")
	cases := []struct {
		name, class, test, kind, message, text string
		want                                   step.TestFailure
	}{
		{
			"an assertion with parameters", "tests.test_shop", "test_total[items1-4]", "failure", "assert 1.5 == 4\n +  where 1.5 = total([1, 2])",
			"items = [1, 2], want = 4\n\n    def test_total(items, want):\n>       assert total(items) == want\nE       assert 1.5 == 4\nE        +  where 1.5 = total([1, 2])\n\ntests/test_shop.py:8: AssertionError",
			step.TestFailure{Name: "tests/test_shop.py::test_total[items1-4]", Location: "tests/test_shop.py:8", Message: "assert 1.5 == 4"},
		},
		{
			"an exception in what a method called", "tests.test_shop.TestDeep", "test_zero", "failure", "ZeroDivisionError: division by zero",
			"    def test_zero(self):\n>       price([])\n\ntests/test_shop.py:13: \n_ _ _ _ _\n\n>       return 1 / len(items)\nE       ZeroDivisionError: division by zero\n\nshop/price.py:2: ZeroDivisionError",
			step.TestFailure{Name: "tests/test_shop.py::TestDeep::test_zero", Location: "shop/price.py:2", Message: "ZeroDivisionError: division by zero"},
		},
		{
			"one in a library", "tests.test_shop", "test_parse", "failure", "ValueError: no",
			"tests/test_shop.py:4: \n_ _ _\n>   raise ValueError\nE   ValueError: no\n\n/usr/lib/python3/json/decoder.py:90: ValueError",
			step.TestFailure{Name: "tests/test_shop.py::test_parse", Location: "tests/test_shop.py:4", Message: "ValueError: no"},
		},
		{
			"one because of another", "tests.test_shop", "test_chain", "failure", "KeyError: 'x'",
			">       price([])\n\ntests/test_shop.py:20: \n_ _ _\nE       ZeroDivisionError: division by zero\n\nshop/price.py:2: ZeroDivisionError\n\nThe above exception was the direct cause of the following exception:\n\n>           raise KeyError(\"x\") from e\nE           KeyError: 'x'\n\ntests/test_shop.py:22: KeyError",
			step.TestFailure{Name: "tests/test_shop.py::test_chain", Location: "tests/test_shop.py:22", Message: "KeyError: 'x'"},
		},
		{
			"short", "tests.test_shop", "test_short", "failure", "assert 3 == 4",
			"tests/test_shop.py:9: in test_short\n    check(3)\ntests/conftest.py:16: in check\n    assert n == 4\nE   assert 3 == 4",
			step.TestFailure{Name: "tests/test_shop.py::test_short", Location: "tests/conftest.py:16", Message: "assert 3 == 4"},
		},
		{
			"as Python writes it", "tests.test_shop", "test_native", "failure", "ZeroDivisionError: division by zero",
			"Traceback (most recent call last):\n  File \"/usr/lib/pytest/runner.py\", line 361, in from_call\n  File \"@ROOT@/tests/test_shop.py\", line 13, in test_native\n    price([])\n  File \"@ROOT@/shop/price.py\", line 2, in price\nZeroDivisionError: division by zero",
			step.TestFailure{Name: "tests/test_shop.py::test_native", Location: "shop/price.py:2", Message: "ZeroDivisionError: division by zero"},
		},
		{
			"a module that can't be imported", "", "tests.test_shop", "error", "collection failure",
			"ImportError while importing test module '@ROOT@/tests/test_shop.py'.\nHint: make sure your test modules/packages have valid Python names.\nTraceback:\n/usr/lib/python3.11/importlib/__init__.py:126: in import_module\n    return x\ntests/test_shop.py:1: in <module>\n    import nothing\nE   ModuleNotFoundError: No module named 'nothing'",
			step.TestFailure{Name: "tests/test_shop.py", Location: "tests/test_shop.py:1", Message: "ModuleNotFoundError: No module named 'nothing'"},
		},
		{
			"a file that is no Python", "", "tests.test_syntax", "error", "collection failure",
			"../lib/_pytest/python.py:528: in importtestmodule\n    mod = import_path(\n/usr/lib/python3.11/ast.py:50: in parse\n    return compile(source)\nE     File \"@ROOT@/tests/test_syntax.py\", line 3\nE       def f(:\nE             ^\nE   SyntaxError: invalid syntax",
			step.TestFailure{Name: "tests/test_syntax.py", Location: "tests/test_syntax.py:3", Message: "SyntaxError: invalid syntax"},
		},
		{
			"a fixture that fails", "tests.test_shop", "test_db", "error", `failed on setup with "RuntimeError: no database"`,
			"@pytest.fixture\n    def db():\n>       raise RuntimeError(\"no database\")\nE       RuntimeError: no database\n\ntests/conftest.py:6: RuntimeError",
			step.TestFailure{Name: "tests/test_shop.py::test_db", Location: "tests/conftest.py:6", Message: `failed on setup with "RuntimeError: no database"`},
		},
		{
			"a fixture that is none", "tests.test_shop", "test_nope", "error", "failed on setup with \"file @ROOT@/tests/test_shop.py, line 29\n  def test_nope(nope):\"",
			"file @ROOT@/tests/test_shop.py, line 29\n  def test_nope(nope):\nE       fixture 'nope' not found\n>       available fixtures: capfd\n\n@ROOT@/tests/test_shop.py:29",
			step.TestFailure{Name: "tests/test_shop.py::test_nope", Location: "tests/test_shop.py:29", Message: "fixture 'nope' not found"},
		},
		{
			"one that should have failed", "tests.test_shop", "test_xpass", "failure", "[XPASS(strict)] bug 1", "[XPASS(strict)] bug 1",
			step.TestFailure{Name: "tests/test_shop.py::test_xpass", Message: "[XPASS(strict)] bug 1"},
		},
		{
			"a long text keeps its end", "tests.test_shop", "test_long", "failure", "AssertionError",
			strings.Repeat("x = 'a long line of source'\n", 10000) + "E   AssertionError\n\ntests/test_shop.py:99: AssertionError",
			step.TestFailure{Name: "tests/test_shop.py::test_long", Location: "tests/test_shop.py:99", Message: "AssertionError"},
		},
		{
			"a class that is no file's", "elsewhere.test_x", "test_y", "failure", "assert 0", "E   assert 0\n\n/srv/elsewhere/test_x.py:3: AssertionError",
			step.TestFailure{Name: "elsewhere.test_x.test_y", Message: "assert 0"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			report := fmt.Sprintf(`<testsuites><testsuite name="pytest" errors="1"><testcase classname=%q name=%q><%s message="%s">%s</%s></testcase></testsuite></testsuites>`,
				c.class, c.test, c.kind, escape(c.message), escape(c.text), c.kind)
			got, err := parseJUnit(strings.NewReader(strings.ReplaceAll(report, "@ROOT@", at.root)), "report.xml", at)
			if err != nil || len(got.failures) != 1 {
				t.Fatalf("result = %+v, error = %v, want one failure", got, err)
			}
			f := got.failures[0]
			f.Message = textline.First(f.Message)
			if diff := cmp.Diff(c.want, f); diff != "" {
				t.Errorf("failure (-want +got):\n%s", diff)
			}
		})
	}
}

func escape(s string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(s))
	return out.String()
}
