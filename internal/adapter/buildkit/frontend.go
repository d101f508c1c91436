package buildkit

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// syntaxArgument is how a build overrides the "# syntax=" line.
const syntaxArgument = "BUILDKIT_SYNTAX"

// cmdlineAttribute makes BuildKit's own frontend read the Dockerfile itself, whatever
// its "# syntax=" line names.
const cmdlineAttribute = "cmdline"

// builtinSyntax returns what the Dockerfile's "# syntax=" line names, if the frontend
// in BuildKit of that version stands in for it; else "". The image of a tag moves, and
// has to be pulled; the frontend in BuildKit does neither. See decision 24.
func (w buildJob) builtinSyntax(version string) string {
	if _, own := w.order.Dockerfile.Args[syntaxArgument]; own {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(w.source.dir, w.source.file))
	if err != nil {
		return "" // BuildKit reports it
	}
	ref, _, _, ok := parser.DetectSyntax(text)
	if !ok || !servesSyntax(ref, version) {
		return ""
	}
	return ref
}

var (
	officialSyntax  = regexp.MustCompile(`^(?:docker\.io/)?docker/dockerfile(?::(?:latest|1(?:\.([0-9]+)(?:\.[0-9]+)?)?))?$`)
	buildkitVersion = regexp.MustCompile(`^v?0\.([0-9]+)\.`)
)

// Since BuildKit 0.12, which has Dockerfile 1.6, both are released together.
const (
	firstBuildkit = 12
	syntaxOffset  = 6 // of BuildKit's minor version over the Dockerfile's
)

// servesSyntax reports whether BuildKit's own frontend understands what the official
// image of that name does. Images that are pinned by digest, with experimental
// features (-labs), or of others are used as they are named.
func servesSyntax(ref, version string) bool {
	official, built := officialSyntax.FindStringSubmatch(ref), buildkitVersion.FindStringSubmatch(version)
	if official == nil || built == nil {
		return false
	}
	minor, err := strconv.Atoi(built[1])
	if err != nil || minor < firstBuildkit {
		return false
	}
	if official[1] == "" {
		return true
	}
	wanted, err := strconv.Atoi(official[1])
	return err == nil && wanted <= minor-syntaxOffset
}
