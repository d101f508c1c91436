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
)

// mute is a matcher that can't answer.
type mute struct{ match.Matcher }

func (mute) PackageTypes() []syftpkg.Type { return []syftpkg.Type{syftpkg.PythonPkg} }
func (mute) Type() match.MatcherType      { return match.PythonMatcher }
func (mute) Match(vulnerability.Provider, pkg.Package) ([]match.Match, []match.IgnoreFilter, error) {
	return nil, nil, errors.New("the version makes no sense")
}

// TestAMatcherThatCanNotAnswerIsAGap holds that grype's silence about its own
// trouble is not taken for an answer.
func TestAMatcherThatCanNotAnswerIsAGap(t *testing.T) {
	m := &matchFailures{}
	for range maxListed + 2 {
		if _, _, err := (recordingMatcher{mute{}, m}).Match(nil, pkg.Package{Name: "odd", Version: "x", Type: syftpkg.PythonPkg}); err == nil {
			t.Fatal("the error is gone")
		}
	}
	l := &packageMatcher{list: &sbom.SBOM{}, failures: m, packages: []pkg.Package{{Name: "odd", Type: syftpkg.PythonPkg}}, db: &database{}}
	gaps, _ := l.gaps()
	if len(gaps) != maxListed+1 || gaps[0].What != "python odd x could not be looked up: the version makes no sense" || !strings.Contains(gaps[maxListed].What, "2 more") {
		t.Errorf("%+v", gaps)
	}
}
