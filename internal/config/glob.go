package config

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// MatchGlob reports whether a slash-separated path (or a branch) matches a glob:
// * stays within a folder, ** crosses folders, {a,b} and [a-z] as in a shell.
// "**.md" is "**/*.md", as people mean it.
func MatchGlob(glob, name string) bool {
	ok, err := doublestar.Match(normalizeGlob(glob), name)
	return err == nil && ok
}

// MatchAnyGlob reports whether one of the globs matches.
func MatchAnyGlob(globs []string, name string) bool {
	for _, g := range globs {
		if MatchGlob(g, name) {
			return true
		}
	}
	return false
}

// normalizeGlob turns ** into a path segment where it begins a name.
func normalizeGlob(glob string) string {
	if !strings.Contains(glob, "**") {
		return glob
	}
	parts := strings.Split(glob, "/")
	for i, p := range parts {
		if rest, ok := strings.CutPrefix(p, "**"); ok && rest != "" {
			parts[i] = "**/*" + rest
		}
	}
	return strings.Join(parts, "/")
}

// globProblem returns why a glob is invalid or never matches a file, or "".
func globProblem(glob string) string {
	switch {
	case glob == "" || !doublestar.ValidatePattern(normalizeGlob(glob)):
		return "is not a valid glob"
	case strings.HasPrefix(glob, "/") || strings.HasPrefix(glob, "./") || leavesRoot(glob):
		return "never matches: globs are relative to this file and must not start with ./ or ../"
	case strings.HasSuffix(glob, "/"):
		return "matches folders only: append **"
	}
	for _, part := range strings.Split(normalizeGlob(glob), "/") {
		if part != "**" && strings.Contains(part, "**") {
			return "does not cross folders: ** must stand alone between slashes or start a name"
		}
	}
	return ""
}
