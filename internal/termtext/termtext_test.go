package termtext_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/termtext"
)

var texts = map[string]struct{ in, want string }{
	"plain":                            {"a line\n\tand another\n", "a line\n\tand another\n"},
	"empty":                            {"", ""},
	"letters":                          {"größer als 你好 ✔", "größer als 你好 ✔"},
	"colors":                           {"\x1b[1;32mok\x1b[0m done", "ok done"},
	"cursor":                           {"\x1b[3A\x1b[2Kall passed", "all passed"},
	"sequence with intermediate":       {"a\x1b[4 qb", "ab"},
	"C1 form":                          {"a\u009b31mb\u009d0;title\u009cc", "abc"},
	"bytes of the C1 form":             {"a\x9b31mb", "a\ufffd31mb"},
	"window title, BEL":                {"a\x1b]0;owned\x07b", "ab"},
	"window title, ST":                 {"a\x1b]0;owned\x1b\\b", "ab"},
	"link":                             {"\x1b]8;;https://a.example\x1b\\text\x1b]8;;\x1b\\", "text"},
	"clipboard":                        {"\x1b]52;c;ZXZpbA==\x07x", "x"},
	"device control string":            {"a\x1bP1$tx\x1b\\b", "ab"},
	"string without an end":            {"a\x1b]0;FAILED\nb\n", "a0;FAILED\nb\n"},
	"string without an end at the end": {"a\x1b]0;FAILED", "a0;FAILED"},
	"string that another sequence interrupts":  {"\x1b]0;FAILED\x1b[2Jb", "0;FAILEDb"},
	"string that is cancelled":                 {"\x1b]0;FAILED\x18b", "0;FAILEDb"},
	"sequence without an end":                  {"a\x1b[31\nb", "a\nb"},
	"escape and nothing":                       {"a\x1b", "a"},
	"escape before a line end":                 {"a\x1b\nb", "a\nb"},
	"reset":                                    {"a\x1bcb", "ab"},
	"character set":                            {"a\x1b(0b", "ab"},
	"backspaces":                               {"fail\b\b\b\bpass", "failpass"},
	"other controls":                           {"a\x00b\x7fc\x0bd\x0ee\u0085f", "abcdef"},
	"line ends of Windows":                     {"a\r\nb\r\r\nc", "a\nb\nc"},
	"carriage return":                          {"FAILED\rpassed", "FAILED\npassed"},
	"progress bar":                             {"\r10%\r20%\r\n", "10%\n20%\n"},
	"empty lines":                              {"a\n\n\nb\r\n\r\nc", "a\n\n\nb\n\nc"},
	"override of direction":                    {"a\u202eb\u2066c\u2069d", "abcd"},
	"marks of direction":                       {"\u200fشنبه\u200e", "\u200fشنبه\u200e"},
	"not UTF-8":                                {"a\xff\xfeb", "a\ufffd\ufffdb"},
	"beginning of a character":                 {"a\xe4\xbd", "a\ufffd\ufffd"},
	"a replacement character that was written": {"a\ufffdb", "a\ufffdb"},
}

func TestString(t *testing.T) {
	for name, c := range texts {
		t.Run(name, func(t *testing.T) {
			if got := termtext.String(c.in); got != c.want {
				t.Errorf("String(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

// TestWriter_AnyCut: it makes no difference how a text is cut into writes.
func TestWriter_AnyCut(t *testing.T) {
	for name, c := range texts {
		t.Run(name, func(t *testing.T) {
			for cut := range len(c.in) + 1 {
				if got := write(t, c.in[:cut], c.in[cut:]); got != c.want {
					t.Errorf("written as %q and %q: %q, want %q", c.in[:cut], c.in[cut:], got, c.want)
				}
			}
			if got := write(t, strings.Split(c.in, "")...); got != c.want {
				t.Errorf("written by characters: %q, want %q", got, c.want)
			}
		})
	}
}

func write(t *testing.T, parts ...string) string {
	t.Helper()
	var out strings.Builder
	w := termtext.NewWriter(&out)
	for _, p := range parts {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Errorf("Write(%q) = %d, %v", p, n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	return out.String()
}

// TestWriter_HoldsBackLittle: a line that has not ended is shown, and a control string
// that never ends is not kept.
func TestWriter_HoldsBackLittle(t *testing.T) {
	var out strings.Builder
	w := termtext.NewWriter(&out)
	for _, part := range []string{"password", ": \x1b]0;"} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got := out.String(); got != "password: " {
		t.Errorf("before the end of the line: %q", got)
	}
	long := strings.Repeat("x", 1<<20)
	if _, err := w.Write([]byte(long)); err != nil {
		t.Fatal(err)
	}
	if held := len("password: 0;") + len(long) - out.Len(); held > 0 {
		t.Errorf("%d bytes of a control string without an end are kept", held)
	}
}

func TestWriter_Error(t *testing.T) {
	full := errors.New("no space left on device")
	for _, text := range []string{"abc", "a\x1b[0mc"} {
		if _, err := termtext.NewWriter(failing{full}).Write([]byte(text)); !errors.Is(err, full) {
			t.Errorf("Write(%q) = %v, want %v", text, err, full)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestJSON(t *testing.T) {
	given := map[string]string{"text": "a\x1b[31m\x7f\u009b\u202e\u2066 größer\n"}
	plain, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	got := termtext.JSON(plain)
	if want := `{"text":"a\u001b[31m\u007f\u009b\u202e\u2066 größer\n"}`; string(got) != want {
		t.Errorf("JSON = %s, want %s", got, want)
	}
	if s := termtext.String(string(got)); s != string(got) {
		t.Errorf("a terminal would still obey it: %q", got)
	}
	var back map[string]string
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(given, back); diff != "" {
		t.Errorf("the document means something else (-want +got):\n%s", diff)
	}
}

func FuzzString(f *testing.F) {
	for _, c := range texts {
		f.Add(c.in, len(c.in)/2)
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
		got := termtext.String(s)
		for _, r := range got {
			if r != '\n' && r != '\t' && unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
				t.Errorf("String(%q) = %q with %U in it", s, got, r)
			}
		}
		if !utf8.ValidString(got) {
			t.Errorf("String(%q) = %q is not UTF-8", s, got)
		}
		if again := termtext.String(got); again != got {
			t.Errorf("String(%q) = %q, and of that %q", s, got, again)
		}
		if cut >= 0 && cut <= len(s) {
			if parts := write(t, s[:cut], s[cut:]); parts != got {
				t.Errorf("in two writes %q, in one %q", parts, got)
			}
		}
	})
}
