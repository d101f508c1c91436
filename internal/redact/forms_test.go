package redact

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"
)

// TestRedactor_Forms: a secret is found as programs write it.
func TestRedactor_Forms(t *testing.T) {
	const secret = `p@ss/w+rd "ö" <1>`
	r := New(secret)
	for name, text := range map[string]string{
		"base64":                      base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 without padding":      base64.RawStdEncoding.EncodeToString([]byte(secret)),
		"base64 for URLs":             base64.URLEncoding.EncodeToString([]byte(secret)),
		"base64 for URLs, unpadded":   base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"base64 of a line, by a tool": base64.StdEncoding.EncodeToString([]byte(secret + "\n")),
		"query, Go":                   url.QueryEscape(secret),
		"path, Go":                    url.PathEscape(secret),
		"quote, Python":               "p%40ss/w%2Brd%20%22%C3%B6%22%20%3C1%3E",
		"quote_plus, Python":          "p%40ss%2Fw%2Brd+%22%C3%B6%22+%3C1%3E",
		"encodeURIComponent":          "p%40ss%2Fw%2Brd%20%22%C3%B6%22%20%3C1%3E",
		"lower-case percent":          "p%40ss%2fw%2brd%20%22%c3%b6%22%20%3c1%3e",
		"JSON, Go":                    `p@ss/w+rd \"ö\" \u003c1\u003e`,
		"JSON, JavaScript":            `p@ss/w+rd \"ö\" <1>`,
		"JSON, Python":                `p@ss/w+rd \"\u00f6\" <1>`,
		"JSON in JSON":                `p@ss/w+rd \\\"ö\\\" <1>`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := r.Text("a=" + text + "&b"); got != "a=***&b" {
				t.Errorf("Text(%q) = %q", text, got)
			}
		})
	}
}

// TestRedactor_InsideBase64: what is left of the encoding of a longer text holds at most a
// few bits of the secret at its ends.
func TestRedactor_InsideBase64(t *testing.T) {
	const secret = "hunter2-hunter2"
	r := New(secret)
	for _, before := range []string{"", "u", "u:", "us:", "user:", "\xff\xfe"} {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			got := r.Text(e.EncodeToString([]byte(before + secret + ":and more")))
			if strings.Count(got, Placeholder) != 1 {
				t.Errorf("after %q: %q", before, got)
			}
			for _, part := range strings.Split(got, Placeholder) {
				plain, _ := base64.RawStdEncoding.DecodeString(part[:len(part)/4*4])
				if strings.Contains(string(plain), "hunte") {
					t.Errorf("after %q: %q is left of the secret", before, plain)
				}
			}
		}
	}
}

// TestRedactor_ShortBase64: parts that are no longer than words stay.
func TestRedactor_ShortBase64(t *testing.T) {
	if got := New("four").Text("Zm91cg== in Zm91 Zm9 cg"); got != "*** in Zm91 Zm9 cg" {
		t.Errorf("Text = %q", got)
	}
}

// TestRedactor_Overlap: of two secrets that overlap nothing is left.
func TestRedactor_Overlap(t *testing.T) {
	r := New("abcdefgh", "efghijkl", "ijklmnopqr")
	for in, want := range map[string]string{
		"abcdefghijkl":             "***",
		"1 abcdefghijklmnopqr 2":   "1 *** 2",
		"abcdefgh efghijkl":        "*** ***",
		"abcdefghabcdefgh":         "******",
		"abcdefg efghijk ijklmnop": "abcdefg efghijk ijklmnop",
	} {
		if got := r.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzRedactor(f *testing.F) {
	f.Add("hunter2-hunter2", "user:", "@host", 3)
	f.Add(`p@ss/w+rd "ö"`, `{"a":"`, `"}`, 9)
	f.Add("ööööööö", "", "\n", 0)
	f.Fuzz(func(t *testing.T, secret, before, after string, cut int) {
		if len(secret) < 8 || secret != strings.TrimSpace(secret) || strings.ContainsAny(secret, "\r\n*") || len(secret) > 1<<10 {
			t.Skip("a secret is a line")
		}
		r := New(secret)
		text := before + secret + after
		got := r.Text(text)
		if strings.Contains(got, secret) {
			t.Errorf("Text(%q) = %q", text, got)
		}
		quoted, _ := json.Marshal(secret)
		for form, encoded := range map[string]string{"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "JSON": string(quoted[1 : len(quoted)-1])} {
			if encoded != "" && strings.ToValidUTF8(secret, "") == secret && strings.Contains(r.Text(before+encoded+after), encoded) {
				t.Errorf("%s: %q is left", form, encoded)
			}
		}
		in64 := base64.StdEncoding.EncodeToString([]byte(text))
		if !r.Contains(in64) {
			t.Errorf("in base64 with %q before it: %q", before, in64)
		}
		if cut < 0 || cut > len(text) {
			return
		}
		var out strings.Builder
		w := r.Writer(&out)
		_, _ = io.WriteString(w, text[:cut])
		_, _ = io.WriteString(w, text[cut:])
		_ = w.Close()
		if out.String() != got {
			t.Errorf("in two writes %q, at once %q", out.String(), got)
		}
	})
}

func BenchmarkRedactor_Text(b *testing.B) {
	r := New()
	for i := range 50 {
		r.Add(strings.Repeat(string(rune('a'+i%26)), 12) + base64.StdEncoding.EncodeToString([]byte{byte(i), 7, 9}))
	}
	line := strings.Repeat("2026-11-29T20:00:00Z info request served in 12 ms ", 3)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		_ = r.Text(line)
	}
}
