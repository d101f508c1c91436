package anchore

import (
	"errors"
	"strings"
	"testing"

	"github.com/anchore/grype/grype/match"
	"github.com/anchore/grype/grype/pkg"
	"github.com/anchore/grype/grype/vulnerability"
	syftpkg "github.com/anchore/syft/syft/pkg"
	"github.com/anchore/syft/syft/sbom"
	"github.com/google/go-cmp/cmp"
)

// failingMatcher is a matcher that returns an error for every package.
type failingMatcher struct{ match.Matcher }

func (failingMatcher) PackageTypes() []syftpkg.Type { return []syftpkg.Type{syftpkg.PythonPkg} }
func (failingMatcher) Type() match.MatcherType      { return match.PythonMatcher }
func (failingMatcher) Match(vulnerability.Provider, pkg.Package) ([]match.Match, []match.IgnoreFilter, error) {
	return nil, nil, errors.New("the version makes no sense")
}

// TestRecordingMatcher_ErrorsAreGaps: packages whose lookup returned an error, which
// grype only logs, don't pass as harmless.
func TestRecordingMatcher_ErrorsAreGaps(t *testing.T) {
	m := &matchFailures{}
	for range maxListed + 2 {
		if _, _, err := (recordingMatcher{failingMatcher{}, m}).Match(nil, pkg.Package{Name: "odd", Version: "x", Type: syftpkg.PythonPkg}); err == nil {
			t.Fatal("Match = nil, want the error of the matcher")
		}
	}
	l := &packageMatcher{list: &sbom.SBOM{}, failures: m, packages: []pkg.Package{{Name: "odd", Type: syftpkg.PythonPkg}}, db: &database{}}
	gaps, _ := l.gaps()
	if len(gaps) != maxListed+1 {
		t.Fatalf("got %d gaps, want %d: %+v", len(gaps), maxListed+1, gaps)
	}
	if diff := cmp.Diff("python odd x could not be looked up: the version makes no sense", gaps[0].What); diff != "" {
		t.Errorf("first gap (-want +got):\n%s", diff)
	}
	if last := gaps[maxListed].What; !strings.Contains(last, "2 more") {
		t.Errorf("last gap %q does not contain %q", last, "2 more")
	}
}
