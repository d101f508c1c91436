package venv

import (
	"cmp"
	"path"
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/textline"
)

// failurePattern recognizes one kind of an installer's failure in the output of
// pip or uv; the first of the list that matches applies.
type failurePattern struct {
	text    *regexp.Regexp
	kind    fault.Kind
	message string // with $1 of text
	hint    string
	unless  *regexp.Regexp // unless this matches as well
}

// indexUnreachable matches an index that did not respond. pip retries and then
// goes on as if the index were empty, so it reports "no matching distribution"
// for a package that may well exist: this pattern comes before that one.
var indexUnreachable = regexp.MustCompile(`(?i)after connection broken by|NewConnectionError|Max retries exceeded|name resolution|dns error|failed to lookup address` +
	`|ReadTimeoutError|ConnectTimeout|operation timed out|connection (?:refused|reset|aborted)|network is unreachable|client error \(Connect\)` +
	`|too many \d+ error responses|ProxyError|SSLError|certificate verify failed|invalid peer certificate|error sending request for url|HTTP error 5\d\d|5\d\d Server Error|\(5\d\d [A-Z]`)

// versionsListed matches if the index listed versions after all.
var versionsListed = regexp.MustCompile(`\(from versions: [^)n]`)

const (
	networkHint = "check the network, and PIP_INDEX_URL (pip) or UV_DEFAULT_INDEX (uv) if you use a mirror; then run again"
	pinHint     = "fix the file, and commit it"
)

var failurePatterns = []failurePattern{
	{regexp.MustCompile(`(?i)No space left on device|\(os error 28\)|Disk quota exceeded`), fault.Exhausted, "the disk is full", "free disk space, for example with `slipway cleanup`", nil},
	{regexp.MustCompile(`(?i)ensurepip is not (?:available|enabled)|No module named '?(?:ensurepip|venv)`), fault.Unavailable, "this Python has no venv or pip", "install them (Debian: apt install python3-venv), or install uv", nil},
	{regexp.MustCompile(`(?i)\b(401|403)\b[^\n]{0,80}(?:Error|Unauthorized|Forbidden|Client)|HTTP error (401|403)|(?:un)?valid authentication credentials|Credentials not correct`), fault.Denied, "the package index refused the credentials", "check the credentials in PIP_INDEX_URL or UV_DEFAULT_INDEX, or in the netrc file", nil},
	{indexUnreachable, fault.Unavailable, "the package index is unreachable", networkHint, versionsListed},
	{regexp.MustCompile(`(?m)^ERROR: No matching distribution found for ([^\n]+?)(?: \(from -?r? ?[^\n]*)?$`), fault.Failed, "no matching distribution for $1", "use a version that exists for this Python and platform", nil},
	{regexp.MustCompile(`(?i)Because there (?:is|are) no versions? of ([^\s,]+)`), fault.Failed, "no matching distribution for $1", "use a version that exists for this Python and platform", nil},
	{regexp.MustCompile(`(?i)Because ([^\s,]+) was not found in the package registry`), fault.Failed, "no matching distribution for $1", "check the name", nil},
	{regexp.MustCompile(`(?i)THESE PACKAGES DO NOT MATCH THE HASHES[^\n]*\n(?:\s*\n)*\s*([^\s]+)`), fault.Failed, "$1 does not match its hash", "if the package was republished on purpose, lock again; otherwise it may have been tampered with", nil},
	{regexp.MustCompile("(?i)Hash mismatch for `([^`]+)`"), fault.Failed, "$1 does not match its hash", "if the package was republished on purpose, lock again; otherwise it may have been tampered with", nil},
	{regexp.MustCompile(`(?i)(?:In --require-hashes mode, all requirements must have[^\n]*|Hashes are required in --require-hashes mode[^\n]*)`), fault.Failed, "a requirement has no hash, but others have one", "lock again with hashes for all: `uv pip compile --generate-hashes`, or `pip-compile --generate-hashes`", nil},
	{regexp.MustCompile(`(?m)^ERROR: Cannot install ([^\n]+?) because these package versions have conflicting dependencies`), fault.Failed, "$1 conflict with each other", pinHint, nil},
	{regexp.MustCompile(`(?m)^ERROR: (?:Package '([^']+)'|([^\n]+?)) requires a different Python`), fault.Failed, "$1$2 requires a different Python", "set `version`, or use another version of the package", nil},
	{regexp.MustCompile(`(?m)^ERROR: Invalid requirement: '?([^\n']+)`), fault.Failed, "$1 is not a valid requirement", pinHint, nil},
	{regexp.MustCompile("(?i)Couldn't parse requirement in `[^`]*`[^\\n]*\\n\\s*(?:(?:Caused by|cause): )?([^\\n]+)"), fault.Failed, "$1", pinHint, nil},
	{regexp.MustCompile(`(?i)lockfile[^\n]*needs to be updated`), fault.Failed, "the lock file does not match pyproject.toml", "run `uv lock`, and commit uv.lock", nil},
	{regexp.MustCompile(`(?i)Failed (?:building wheel for|to build) ` + "`?" + `([A-Za-z0-9._=-]+)`), fault.Failed, "$1 has no wheel for this Python and platform, and can't be built", "see the log; use a version that has a wheel, or install its build dependencies", nil},
	{regexp.MustCompile(`(?i)(?:subprocess-exited-with-error|Getting requirements to build wheel did not run|metadata-generation-failed)`), fault.Failed, "a package has no wheel for this Python and platform, and can't be built", "see the log; use a version that has a wheel, or install its build dependencies", nil},
	{regexp.MustCompile(`(?i)No solution found when resolving dependencies[^\n]*\n\s*[^A-Za-z\n]*(?:cause: )?([^\n]+)`), fault.Failed, "$1", pinHint, nil},
}

// requirementLine is pip's reference to a line of a file.
var requirementLine = regexp.MustCompile(`\(from (?:line (\d+) of (?:\./)?([^\s)]+)|-r (?:\./)?([^\s)]+) \(line (\d+)\))\)`)

// installError returns an error for what an installer printed before it failed;
// dir is where it ran, relative to the checkout. An unknown failure is no verdict
// on the commit.
func installError(what, said, dir string) error {
	for _, s := range failurePatterns {
		m := s.text.FindStringSubmatchIndex(said)
		if m == nil || s.unless != nil && s.unless.MatchString(said) {
			continue
		}
		text := string(s.text.ExpandString(nil, s.message, said, m))
		e := fault.New(s.kind, "%s: %s", what, truncate(strings.TrimSpace(text), 200)).Hint("%s", s.hint)
		if s.kind == fault.Failed {
			if at := requirementLine.FindStringSubmatch(said); at != nil && !path.IsAbs(at[2]+at[3]) {
				e = e.Location(path.Join(dir, at[2]+at[3]) + ":" + at[1] + at[4])
			}
		}
		return e
	}
	return fault.New(fault.Unavailable, "%s: %s", what, lastLine(said)).Hint("see the step's log")
}

// lastLine returns the last line.
func lastLine(output string) string {
	return cmp.Or(truncate(textline.Last(output), 200), "it exited without output")
}
