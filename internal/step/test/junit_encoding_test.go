package test

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"github.com/slipway-cd/slipway/internal/fault"
)

// encoded is the text in another encoding.
func encoded(t *testing.T, enc encoding.Encoding, text string) string {
	t.Helper()
	out, err := enc.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestJUnit_Encodings(t *testing.T) {
	failing := func(declared, message string) string {
		return `<?xml version="1.0" encoding="` + declared + `"?>` + "\n" + `<testsuite><testcase name="a"><failure message="` + message + `"/></testcase></testsuite>`
	}
	utf16 := func(e unicode.Endianness, b unicode.BOMPolicy) encoding.Encoding { return unicode.UTF16(e, b) }
	cases := []struct{ name, xml, message string }{
		{"ISO-8859-1", encoded(t, charmap.ISO8859_1, failing("ISO-8859-1", "größer")), "größer"},
		{"latin1, in single quotes", strings.ReplaceAll(encoded(t, charmap.ISO8859_1, failing("latin1", "é")), `"latin1"`, `'latin1'`), "é"},
		{"windows-1252", encoded(t, charmap.Windows1252, failing("windows-1252", "5 € – «»")), "5 € – «»"},
		{"Cp1252, as Java writes it", encoded(t, charmap.Windows1252, failing("Cp1252", "€")), "€"},
		{"ISO-8859-15", encoded(t, charmap.ISO8859_15, failing("ISO-8859-15", "€")), "€"},
		{"IBM850", encoded(t, charmap.CodePage850, failing("IBM850", "ä")), "ä"},
		{"Shift_JIS", encoded(t, japanese.ShiftJIS, failing("Shift_JIS", "失敗")), "失敗"},
		{"KOI8-R", encoded(t, charmap.KOI8R, failing("KOI8-R", "ошибка")), "ошибка"},
		{"US-ASCII", failing("US-ASCII", "no"), "no"},
		{"UTF-16 with a mark, little endian", encoded(t, utf16(unicode.LittleEndian, unicode.UseBOM), failing("UTF-16", "größer €")), "größer €"},
		{"UTF-16 with a mark, big endian", encoded(t, utf16(unicode.BigEndian, unicode.UseBOM), failing("UTF-16", "größer €")), "größer €"},
		{"UTF-16LE without a mark", encoded(t, utf16(unicode.LittleEndian, unicode.IgnoreBOM), failing("UTF-16LE", "größer")), "größer"},
		{"declared UTF-16, written in UTF-8", failing("utf-16", "größer"), "größer"},
		{"UTF-8 with a mark", "\xef\xbb\xbf" + failing("UTF-8", "größer"), "größer"},
		{"declared UTF-8, written in ISO-8859-1", encoded(t, charmap.ISO8859_1, failing("UTF-8", "größer")), "gr\uFFFD\uFFFDer"},
		{"XML 1.1", strings.Replace(failing("UTF-8", "no"), "1.0", "1.1", 1), "no"},
		{"raw terminal colors", failing("UTF-8", "\x1b[1;31mno\x1b[0m"), "no"},
		{"escaped terminal colors", failing("UTF-8", "&#27;[1;31mno&#x1b;[0m"), "no"},
		{"pytest's terminal colors", failing("UTF-8", "#x1B[31mno#x1B[0m"), "no"},
		{"other control characters", failing("UTF-8", "a\x00b&#0;c\x08d&#xFFFE;"), "a\uFFFDb\uFFFDc\uFFFDd\uFFFD"},
		{"references that are allowed", failing("UTF-8", "a&#10;b&#x20AC;&amp;#27;"), "a\nb€&#27;"},
		{"terminal colors in ISO-8859-1", encoded(t, charmap.ISO8859_1, failing("ISO-8859-1", "\x1b[31mß\x1b[0m")), "ß"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseJUnit(strings.NewReader(c.xml), "report.xml", location{})
			if err != nil || len(got.failures) != 1 {
				t.Fatalf("%d failures, %v", len(got.failures), err)
			}
			if m := got.failures[0].Message; m != c.message {
				t.Errorf("message %q, want %q", m, c.message)
			}
		})
	}
}

func TestJUnit_GreenWithControlCharacters(t *testing.T) {
	for name, output := range map[string]string{
		"in CDATA":           "<![CDATA[\x1b[32mok\x1b[0m && &#27; \x07]]>",
		"in text":            "\x1b[32mok &#x1B;[0m",
		"at a buffer's edge": strings.Repeat("x", 4096-60) + strings.Repeat("&#27;", 2000),
	} {
		t.Run(name, func(t *testing.T) {
			xml := `<testsuite tests="1" failures="0"><testcase name="a"><system-out>` + output + `</system-out></testcase></testsuite>`
			if got, err := parseJUnit(strings.NewReader(xml), "report.xml", location{}); err != nil || got.passed != 1 || got.failed != 0 {
				t.Errorf("%d passed, %d failed, %v", got.passed, got.failed, err)
			}
		})
	}
}

func TestJUnit_UnreadableNamesPlace(t *testing.T) {
	cases := []struct{ name, xml, want string }{
		{"cut off", "<?xml version=\"1.0\"\nencoding=\"ISO-8859-1\"?>\n<testsuite>\n<testcase name=\"a\">\n", "the report is incomplete (r.xml:5): unexpected EOF"},
		{"cut off within a name", "<testsuite>\n<testcase na", "the report is incomplete (r.xml:2): unexpected EOF"},
		{"wrong end", "<testsuite>\n\n</suite>", "the report is incomplete (r.xml:3): element <testsuite> closed by </suite>"},
		{"unknown encoding", `<?xml version="1.0" encoding="x-klingon"?><testsuite/>`, `the report has the unknown encoding "x-klingon"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseJUnit(strings.NewReader(c.xml), "r.xml", location{})
			if !fault.Is(err, fault.Unavailable) || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}
