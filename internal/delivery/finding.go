package delivery

import "strings"

// Severity is how bad a vulnerability is, as the scanner's sources rate it.
type Severity string

// The severities. Unknown is a rating that is missing, not one that is low.
const (
	UnknownSeverity Severity = "UNKNOWN"
	Negligible      Severity = "NEGLIGIBLE"
	Low             Severity = "LOW"
	Medium          Severity = "MEDIUM"
	High            Severity = "HIGH"
	Critical        Severity = "CRITICAL"
)

// Severities are all of them, the worst first, unknown last.
func Severities() []Severity {
	return []Severity{Critical, High, Medium, Low, Negligible, UnknownSeverity}
}

// ParseSeverity parses a scanner's rating; unknown words are UnknownSeverity.
func ParseSeverity(word string) Severity {
	s := Severity(strings.ToUpper(strings.TrimSpace(word)))
	if s.rank() == 0 {
		return UnknownSeverity
	}
	return s
}

// AtLeast reports whether s is rated, and as bad as t or worse.
func (s Severity) AtLeast(t Severity) bool { return s.rank() > 0 && s.rank() >= t.rank() }

// WorseThan reports whether s is worse than t; unknown is the least.
func (s Severity) WorseThan(t Severity) bool { return s.rank() > t.rank() }

func (s Severity) rank() int {
	switch s {
	case Negligible:
		return 1
	case Low:
		return 2
	case Medium:
		return 3
	case High:
		return 4
	case Critical:
		return 5
	}
	return 0
}

// Finding is a vulnerability that a scanner found in a package of an image.
type Finding struct {
	ID       string   `json:"id"`                // "CVE-2021-44228", "GHSA-..."
	Aliases  []string `json:"aliases,omitempty"` // other names of the same, sorted
	Severity Severity `json:"severity"`
	Package  string   `json:"package"`
	Version  string   `json:"version"`
	Type     string   `json:"type"`               // ecosystem: deb, apk, rpm, python, go, npm, java...
	PURL     string   `json:"purl,omitempty"`     // package URL, with its version
	FixedIn  []string `json:"fixed_in,omitempty"` // versions; none: not fixed, as far as is known
	Path     string   `json:"where,omitempty"`    // path in the image that the package was found at
	Layer    Digest   `json:"layer,omitempty"`    // of the uncompressed layer that brought it
	Source   string   `json:"source,omitempty"`   // origin of the data: "debian:distro:debian:12", "github:language:python"
	Title    string   `json:"title,omitempty"`    // one line
	URL      string   `json:"url,omitempty"`      // where to read more
}

// HasID reports whether id is the finding's ID or an alias, ignoring case.
func (f Finding) HasID(id string) bool {
	if strings.EqualFold(f.ID, id) {
		return true
	}
	for _, a := range f.Aliases {
		if strings.EqualFold(a, id) {
			return true
		}
	}
	return false
}
