package design

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
)

// maxPatterns bounds how many alternatives a glob may have: a trust has room for about
// thirty refs.
const maxPatterns = 30

// patternsOf writes a glob of slipway.yaml as patterns of IAM, which match all that the
// glob matches. IAM has * and ? only, and its * crosses slashes: so release/* lets
// release/a/b in, too, which Slipway itself refuses. Characters in brackets are ?.
func patternsOf(glob string) []string {
	var all []string
	for _, text := range alternatives(glob) {
		for _, t := range withoutFolders(text) {
			all = append(all, account.EscapeVariables(simplify(t)))
		}
		if len(all) > maxPatterns {
			return all[:maxPatterns]
		}
	}
	return all
}

// alternatives expands the innermost braces until there are none.
func alternatives(glob string) []string {
	end := strings.IndexByte(glob, '}')
	begin := -1
	if end >= 0 {
		begin = strings.LastIndexByte(glob[:end], '{')
	}
	if begin < 0 {
		return []string{glob}
	}
	var all []string
	for _, choice := range strings.Split(glob[begin+1:end], ",") {
		all = append(all, alternatives(glob[:begin]+choice+glob[end+1:])...)
		if len(all) > maxPatterns {
			break
		}
	}
	return all
}

// withoutFolders: **/ and /** match no folder, too.
func withoutFolders(glob string) []string {
	if before, after, ok := strings.Cut(glob, "**/"); ok && (before == "" || strings.HasSuffix(before, "/")) {
		return append(withoutFolders(before+after), withoutFolders(before+"*/"+after)...)
	}
	if before, ok := strings.CutSuffix(glob, "/**"); ok {
		return []string{before, before + "/*"}
	}
	return []string{glob}
}

// simplify replaces what IAM does not have.
func simplify(glob string) string {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case c == '[':
			if end := strings.IndexByte(glob[i:], ']'); end > 0 {
				b.WriteByte('?')
				i += end
				continue
			}
			b.WriteByte('?')
		case c == '\\' && i+1 < len(glob):
			i++
			b.WriteByte(glob[i])
		case c == '*' && strings.HasSuffix(b.String(), "*"):
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
