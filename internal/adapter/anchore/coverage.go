package anchore

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/anchore/grype/grype/vulnerability"

	"github.com/slipway-cd/slipway/internal/port"
)

// maxListed is how many packages and files are named that could not be read.
const maxListed = 10

// distroEcosystems are the ecosystems whose packages are known by the
// distribution that they are of.
func distroEcosystems() []string { return []string{"apk", "alpm", "deb", "portage", "rpm"} }

// gaps are what the findings do not speak of, and what is only worth a note.
func (l *packageMatcher) gaps() (gaps []port.ScanGap, notes []string) {
	counts := l.countByEcosystem()
	ours := map[string]int{}
	for _, kind := range distroEcosystems() {
		if counts[kind] > 0 {
			ours[kind] = counts[kind]
		}
	}
	add := func(hint, format string, args ...any) {
		gaps = append(gaps, port.ScanGap{What: fmt.Sprintf(format, args...), Hint: hint})
	}
	switch {
	case len(counts) == 0:
		add("build on a base image that keeps its package database, or scan it with another scanner",
			"no packages of any kind were recognised in the image")
	case len(ours) > 0 && l.distribution == nil:
		add("keep /etc/os-release in the image",
			"the distribution is unknown, so its packages cannot be checked for vulnerabilities (%s)", formatCounts(ours))
	case len(ours) > 0 && !l.db.covers(l.distribution):
		add("use a base image of a maintained distribution, or a newer database: `slipway scan db update`",
			"the database does not cover %s, whose packages are in the image (%s)", distroName(l.distribution), formatCounts(ours))
	case len(ours) == 0 && l.distribution != nil:
		add("build on a base image that keeps its package database (/var/lib/dpkg, /lib/apk/db, /var/lib/rpm)",
			"the image is %s, but it has no readable package database", distroName(l.distribution))
	}
	for i, text := range l.failures.all {
		if i == maxListed {
			add("", "and %d more packages", len(l.failures.all)-maxListed)
			break
		}
		add("check the package manually", "%s", text)
	}
	if l.isEndOfLife() {
		notes = append(notes, distroName(l.distribution)+" has reached end of life: new vulnerabilities are no longer published for it")
	}
	return l.addUnreadable(gaps, append(notes, l.unversioned()...))
}

// unversioned reports packages without a version, which cannot be looked up.
// The main module of a Go program never has one.
func (l *packageMatcher) unversioned() []string {
	var names []string
	for _, p := range l.packages {
		if kind := ecosystem(string(p.Type)); kind != "go" && (p.Version == "" || strings.EqualFold(p.Version, "unknown")) {
			names = append(names, kind+" "+p.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	text := strings.Join(names[:min(len(names), maxListed)], ", ")
	if len(names) > maxListed {
		text += fmt.Sprintf(" and %d more", len(names)-maxListed)
	}
	return []string{"not checked, because the version is unknown: " + text}
}

// isEndOfLife reports whether the distribution is past its end of life, as far as the
// database knows.
func (l *packageMatcher) isEndOfLife() bool {
	ends, ok := l.db.provider.(vulnerability.EOLChecker)
	if !ok || l.distribution == nil {
		return false
	}
	last, _, err := ends.GetOperatingSystemEOL(l.distribution)
	return err == nil && last != nil && last.Before(l.now)
}

// addUnreadable adds files that should tell of packages and could not be read: a package
// database is a gap, any other file a note.
func (l *packageMatcher) addUnreadable(gaps []port.ScanGap, notes []string) ([]port.ScanGap, []string) {
	why := map[string]string{}
	for at, reasons := range l.list.Artifacts.Unknowns {
		why[at.RealPath] = strings.Join(reasons, "; ")
	}
	for i, file := range slices.Sorted(maps.Keys(why)) {
		text := fmt.Sprintf("%s could not be read: %s", file, why[file])
		switch {
		case isPackageDatabase(file):
			gaps = append(gaps, port.ScanGap{What: text, Hint: "build the image again without changing that file"})
		case i < maxListed:
			notes = append(notes, text)
		}
	}
	return gaps, notes
}

func isPackageDatabase(file string) bool {
	for _, dir := range []string{"/var/lib/dpkg", "/lib/apk/db", "/usr/lib/apk/db", "/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm", "/var/lib/pacman"} {
		if file == dir || strings.HasPrefix(path.Clean(file), dir+"/") {
			return true
		}
	}
	return false
}

func formatCounts(counts map[string]int) string {
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return strings.Join(out, ", ")
}
