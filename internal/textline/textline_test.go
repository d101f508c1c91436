package textline_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/slipway-cd/slipway/internal/textline"
)

func TestPrintable(t *testing.T) {
	for _, c := range []struct {
		name, s string
		limit   int
		want    string
	}{
		{"plain", "a line", 0, "a line"},
		{"empty", "", 10, ""},
		{"only white space", " \t\r\n ", 10, ""},
		{"lines", " one\r\n two\tthree\n", 0, "one two three"},
		{"escape sequence", "\x1b[31mred\x1b[0m", 0, "[31mred [0m"},
		{"control characters", "a\x00b\x7fc\u0085d", 0, "a b c d"},
		{"text direction", "a\u202eb", 0, "a b"},
		{"not UTF-8", "a\xffb", 0, "a b"},
		{"letters", "größer als 你好", 0, "größer als 你好"},
		{"exactly max", "abcde", 5, "abcde"},
		{"too long", "abcdef", 5, "abcd…"},
		{"too long in characters", "äöüßéè", 5, "äöüß…"},
		{"max 1", "abc", 1, "…"},
		{"huge", strings.Repeat("x", 1<<20), 3, "xx…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := textline.Printable(c.s, c.limit); got != c.want {
				t.Errorf("Printable(%q, %d) = %q, want %q", c.s, c.limit, got, c.want)
			}
		})
	}
}

func TestFirstLast(t *testing.T) {
	for _, c := range []struct{ name, s, first, last string }{
		{"one", "one", "one", "one"},
		{"several", "\n one \n two\r\n three \n\n", "one", "three"},
		{"empty", "", "", ""},
		{"blank", " \n ", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := textline.First(c.s); got != c.first {
				t.Errorf("First(%q) = %q, want %q", c.s, got, c.first)
			}
			if got := textline.Last(c.s); got != c.last {
				t.Errorf("Last(%q) = %q, want %q", c.s, got, c.last)
			}
		})
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[2J\n\xff", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 0 || limit > 1<<20 {
			t.Skip("a limit is a length for people")
		}
		got := textline.Printable(s, limit)
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("Printable(%q, %d) = %q with %q in it", s, limit, got, r)
			}
		}
		if limit > 0 && utf8.RuneCountInString(got) > limit {
			t.Errorf("Printable(%q, %d) = %q is too long", s, limit, got)
		}
	})
}
