package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// minPart is the length in characters below which a part of a base64 text is left: it
// could as well be a word.
const minPart = 6

// forms returns the ways in which programs write a secret: as it is, and in base64, URLs
// and JSON. Whoever wants to get it out of a log can still find another one: reversed, for
// example. This is against accidents.
func forms(secret string) []string {
	all := slices.Concat([]string{secret}, base64Forms(secret), urlForms(secret), jsonForms(secret))
	slices.Sort(all)
	return slices.Compact(all)
}

// base64Forms are the secret alone, with and without a line end behind it, and its part in
// the encoding of a longer text, "user:secret" for example: three bytes become four
// characters, so that it has three of them.
func base64Forms(secret string) []string {
	var out []string
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		out = append(out, e.EncodeToString([]byte(secret)), e.EncodeToString([]byte(secret+"\n")))
	}
	for before := range 3 {
		plain := append(make([]byte, before), secret...)
		first := (8*before + 5) / 6 // the first character without bits of what stands before
		last := 8 * len(plain) / 6  // the first one with bits of what follows
		if last-first < minPart {
			continue
		}
		out = append(out, base64.StdEncoding.EncodeToString(plain)[first:last], base64.URLEncoding.EncodeToString(plain)[first:last])
	}
	return out
}

// urlForms are the secret in a query and in a path, by the libraries of Go, Python and
// JavaScript, which agree on letters and digits only.
func urlForms(secret string) []string {
	out := []string{url.QueryEscape(secret), url.PathEscape(secret)}
	for _, unescaped := range []string{"-_.~", "-_.~/", "-_.!~*'()", "-_.*"} {
		upper, lower := percentEncode(secret, unescaped, "%%%02X"), percentEncode(secret, unescaped, "%%%02x")
		out = append(out, upper, lower, strings.ReplaceAll(upper, "%20", "+"))
	}
	return out
}

func percentEncode(secret, unescaped, format string) string {
	var out strings.Builder
	for i := range len(secret) {
		c := secret[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(unescaped, c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, format, c)
		}
	}
	return out.String()
}

// jsonForms are the secret in a string of JSON, and of JSON in a string of JSON, with and
// without escaped letters and signs of HTML.
func jsonForms(secret string) []string {
	var out []string
	for _, once := range []string{jsonString(secret, true), jsonString(secret, false), asciiOnly(jsonString(secret, false))} {
		out = append(out, once, jsonString(once, false))
	}
	return out
}

func jsonString(text string, html bool) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(html)
	if e.Encode(text) != nil {
		return text
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(out.String(), "\n"), `"`), `"`)
}

// asciiOnly escapes letters beyond ASCII, as Python does by default.
func asciiOnly(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			out.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}
