package venv

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// conversionVersion is increased when lock files are turned into other
// requirements: environments that were made before are made again then.
const conversionVersion = 1

// lockedPackage is one package of a lock file, with the hashes of all its files.
type lockedPackage struct {
	name, version string
	url           string // instead of the version
	markers       string
	hashes        []string // "sha256:..."
}

// locked is what a lock file of another tool is turned into.
type locked struct {
	indexes  []string // lines such as "--extra-index-url https://..."
	packages []lockedPackage
	conda    []condaPackage // installed first, by conda
}

// convert reads a lock file that no installer reads: texts are the contents of the
// lock, and of the pyproject.toml beside it.
func convert(kind, name string, texts [][]byte) (locked, error) {
	var out locked
	var err error
	switch kind {
	case step.PoetryLock:
		out, err = readPoetry(texts[0], texts[1])
	case step.PipfileLock:
		out, err = readPipfile(texts[0])
	case step.CondaLock:
		out, err = readConda(texts[0])
	}
	if err != nil {
		return out, unusableLock(name, err)
	}
	for _, p := range out.packages {
		if err := p.check(); err != nil {
			return out, unusableLock(name, err)
		}
	}
	return out, nil
}

func unusableLock(name string, err error) error {
	return fault.New(fault.Invalid, "the lock file can't be used").Location(name).Hint("%s", fault.HintOf(err)).Cause(err)
}

// notLockable is the error about a package that can't be checked by its hash.
func notLockable(name, from string) error {
	return fault.New(fault.Invalid, "package %s comes from %s, which has no hash to check it by", name, from).
		Hint("publish it to an index, or make its code importable with PYTHONPATH in `env`")
}

var (
	packageName    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	packageVersion = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+!_-]*$`)
	packageHash    = regexp.MustCompile(`^[a-z0-9]+:[0-9a-fA-F]+$`)
	packageURL     = regexp.MustCompile(`^https?://[^\s'"\\]+$`)
	packageMarkers = regexp.MustCompile(`^[A-Za-z0-9_.'"()<>=!~, *+-]*$`)
)

// check refuses what is not a pinned package: a requirements file is made of it.
func (p lockedPackage) check() error {
	switch {
	case !packageName.MatchString(p.name):
		return fmt.Errorf("%q is not the name of a package", truncate(p.name, 80))
	case p.url == "" && !packageVersion.MatchString(p.version):
		return fmt.Errorf("package %s has the invalid version %q", p.name, truncate(p.version, 80))
	case p.url != "" && !packageURL.MatchString(p.url):
		return fmt.Errorf("package %s has the invalid URL %q", p.name, truncate(p.url, 80))
	case !packageMarkers.MatchString(p.markers) || strings.Contains(p.markers, " --"):
		return fmt.Errorf("package %s has the invalid markers %q", p.name, truncate(p.markers, 80))
	case len(p.hashes) == 0:
		return fault.New(fault.Invalid, "package %s has no hashes", p.name).Hint("lock again with a current version of the tool")
	}
	for _, hash := range p.hashes {
		if !packageHash.MatchString(hash) {
			return fmt.Errorf("package %s has the invalid hash %q", p.name, truncate(hash, 80))
		}
	}
	return nil
}

// requirements is the file in pip's format. It lists all packages, so that
// dependencies are not resolved again.
func (l locked) requirements() string {
	if len(l.packages) == 0 {
		return ""
	}
	var out strings.Builder
	for _, line := range l.indexes {
		out.WriteString(line + "\n")
	}
	for _, p := range l.packages {
		out.WriteString(p.name)
		if p.url != "" {
			out.WriteString(" @ " + p.url)
		} else {
			out.WriteString("==" + p.version)
		}
		if p.markers != "" {
			out.WriteString(" ; " + p.markers)
		}
		for _, hash := range p.hashes {
			out.WriteString(" --hash=" + hash)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// isPyPI reports whether a lock file's index is the one that installers use anyway,
// or the mirror of it that they are configured with.
func isPyPI(url string) bool {
	return slices.Contains([]string{"", "https://pypi.org/simple", "https://pypi.python.org/simple"}, strings.TrimSuffix(url, "/"))
}

// indexLines names the indexes of a lock file that installers don't use anyway. The
// hashes hold whichever index responds.
func indexLines(urls []string, replaces bool) ([]string, error) {
	var lines []string
	for _, url := range urls {
		if isPyPI(url) {
			continue
		}
		if !packageURL.MatchString(url) {
			return nil, fmt.Errorf("invalid URL of an index %q", truncate(url, 80))
		}
		option := "--extra-index-url "
		if replaces && len(lines) == 0 {
			option = "--index-url "
		}
		if line := option + url; !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

var nameSeparators = regexp.MustCompile(`[-_.]+`)

// normalName is a package's name as tools compare it.
func normalName(name string) string {
	return strings.ToLower(nameSeparators.ReplaceAllString(name, "-"))
}
