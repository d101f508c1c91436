package anchore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anchore/grype/grype"
	"github.com/anchore/grype/grype/distro"
	"github.com/anchore/grype/grype/match"
	"github.com/anchore/grype/grype/matcher"
	"github.com/anchore/grype/grype/matcher/dpkg"
	"github.com/anchore/grype/grype/matcher/rpm"
	"github.com/anchore/grype/grype/matcher/stock"
	"github.com/anchore/grype/grype/pkg"
	"github.com/anchore/grype/grype/version"
	"github.com/anchore/grype/grype/vulnerability"
	"github.com/anchore/syft/syft/sbom"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// packageMatcher is one list of packages being looked up.
type packageMatcher struct {
	db           *database
	list         *sbom.SBOM
	packages     []pkg.Package
	distribution *distro.Distro
	matchers     []match.Matcher
	failures     *matchFailures
	now          time.Time
}

// newPackageMatcher makes grype's packages of syft's. Every package gets the image's
// distribution: without it no package of a distribution is ever looked up.
func newPackageMatcher(db *database, list *sbom.SBOM, now time.Time) *packageMatcher {
	l := &packageMatcher{db: db, list: list, failures: &matchFailures{}, now: now}
	channels := distro.DefaultFixChannels()
	l.distribution = distro.FromRelease(list.Artifacts.LinuxDistribution, channels)
	found := pkg.FromCollection(list.Artifacts.Packages, list.Relationships, pkg.SynthesisConfig{
		GenerateMissingCPEs: true, Distro: pkg.DistroConfig{FixChannels: channels},
	})
	for _, p := range found {
		if p.Distro == nil {
			p.Distro = l.distribution
		}
	}
	l.packages = pkg.FromPtrs(found)
	for _, m := range matchers() {
		l.matchers = append(l.matchers, recordingMatcher{m, l.failures})
	}
	return l
}

// matchers are grype's own, set as its command sets them. Left to itself the
// library has none of them, and finds nothing.
func matchers() []match.Matcher {
	return matcher.NewDefaultMatchers(matcher.Config{
		Stock: stock.MatcherConfig{UseCPEs: true},
		Dpkg:  dpkg.MatcherConfig{MissingEpochStrategy: version.MissingEpochStrategyZero},
		Rpm:   rpm.MatcherConfig{MissingEpochStrategy: version.MissingEpochStrategyAuto},
	})
}

// match asks the database for every package.
func (l *packageMatcher) match(ctx context.Context) ([]delivery.Finding, error) {
	m := grype.VulnerabilityMatcher{VulnerabilityProvider: l.db.provider, Matchers: l.matchers}
	found, _, err := m.FindMatchesContext(ctx, l.packages, pkg.Context{Distro: l.distribution})
	if err != nil {
		return nil, err
	}
	var out []delivery.Finding
	for _, one := range found.Sorted() {
		out = append(out, finding(one))
	}
	return out, nil
}

// recordingMatcher remembers what a matcher could not answer: grype only logs it, and a
// package that could not be looked up would look like one that is safe.
type recordingMatcher struct {
	match.Matcher
	failures *matchFailures
}

// Match asks, and remembers trouble.
func (h recordingMatcher) Match(vp vulnerability.Provider, p pkg.Package) ([]match.Match, []match.IgnoreFilter, error) {
	found, ignore, err := h.Matcher.Match(vp, p)
	if err != nil {
		h.failures.add(p, err)
	}
	return found, ignore, err
}

// matchFailures are packages that could not be looked up. Safe for concurrent use.
type matchFailures struct {
	mu  sync.Mutex
	all []string
}

func (m *matchFailures) add(p pkg.Package, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, fmt.Sprintf("%s %s %s could not be looked up: %v", ecosystem(string(p.Type)), p.Name, p.Version, err))
}

// finding is a match in our words. Advisories of an ecosystem are called by the
// CVE that they are about, when there is exactly one.
func finding(m match.Match) delivery.Finding {
	f := delivery.Finding{
		ID: m.Vulnerability.ID, Severity: delivery.UnknownSeverity, Package: m.Package.Name, Version: m.Package.Version,
		Type: ecosystem(string(m.Package.Type)), PURL: m.Package.PURL, Source: m.Vulnerability.Namespace,
	}
	var cves []string
	for _, r := range m.Vulnerability.RelatedVulnerabilities {
		if strings.HasPrefix(r.ID, "CVE-") {
			cves = append(cves, r.ID)
		}
		if r.ID != f.ID {
			f.Aliases = append(f.Aliases, r.ID)
		}
	}
	slices.Sort(cves)
	if cves = slices.Compact(cves); len(cves) == 1 && !strings.HasPrefix(f.ID, "CVE-") {
		f.Aliases = append(slices.DeleteFunc(f.Aliases, func(a string) bool { return a == cves[0] }), f.ID)
		f.ID = cves[0]
	}
	slices.Sort(f.Aliases)
	f.Aliases = slices.Compact(f.Aliases)
	if m.Vulnerability.Fix.State == vulnerability.FixStateFixed {
		f.FixedIn = m.Vulnerability.Fix.Versions
	}
	if meta := m.Vulnerability.Metadata; meta != nil {
		f.Severity, f.URL, f.Title = delivery.ParseSeverity(meta.Severity), meta.DataSource, firstSentence(meta.Description)
	}
	locations := m.Package.Locations.ToSlice()
	if len(locations) > 0 {
		f.Path, f.Layer = locations[0].RealPath, delivery.Digest(locations[0].FileSystemID)
	}
	return f
}

// firstSentence is the first sentence of a description.
func firstSentence(text string) string {
	const most = 160
	text = strings.Join(strings.Fields(text), " ")
	if i := strings.Index(text, ". "); i > 0 {
		text = text[:i]
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// countByEcosystem are the packages by ecosystem.
func (l *packageMatcher) countByEcosystem() map[string]int {
	out := map[string]int{}
	for _, p := range l.packages {
		out[ecosystem(string(p.Type))]++
	}
	return out
}

// ecosystem is the name that all scanners share for a kind of package.
func ecosystem(kind string) string {
	known := map[string]string{
		"go-module": "go", "java-archive": "java", "jenkins-plugin": "java", "rust-crate": "rust", "gem": "ruby",
		"php-composer": "php", "php-pear": "php", "linux-kernel": "kernel",
	}
	return cmp.Or(known[kind], kind)
}

// distroName is "debian 12".
func distroName(d *distro.Distro) string {
	return strings.TrimSpace(d.Name() + " " + cmp.Or(d.VersionString(), d.LabelVersion()))
}
