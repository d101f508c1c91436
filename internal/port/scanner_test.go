package port

import (
	"slices"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func TestDedupeFindings(t *testing.T) {
	f := func(id string, s delivery.Severity, pkg string, fixed ...string) delivery.Finding {
		return delivery.Finding{ID: id, Severity: s, Package: pkg, Version: "1", Type: "deb", FixedIn: fixed}
	}
	again := f("CVE-2", delivery.Critical, "b", "3")
	again.Aliases, again.Path, again.Source = []string{"GHSA-2"}, "/a", "second"
	got := DedupeFindings([]delivery.Finding{f("CVE-1", delivery.Low, "a"), f("CVE-2", delivery.High, "b", "2"), f("CVE-0", delivery.UnknownSeverity, "a"), again, f("CVE-2", delivery.High, "a")})
	if len(got) != 4 || got[0].ID != "CVE-2" || got[0].Severity != delivery.Critical || got[0].Source != "second" || got[0].Path != "/a" {
		t.Fatalf("findings = %+v, want four, the first the worse and newer of the two of CVE-2 in b", got)
	}
	if !slices.Equal(got[0].FixedIn, []string{"2", "3"}) || !slices.Equal(got[0].Aliases, []string{"GHSA-2"}) {
		t.Errorf("merged fixed in %q, aliases %q, want both versions and the alias", got[0].FixedIn, got[0].Aliases)
	}
	if got[1].Package != "a" || got[1].ID != "CVE-2" || got[2].ID != "CVE-1" || got[3].ID != "CVE-0" {
		t.Errorf("findings = %+v, want CVE-2 in a, CVE-1 and CVE-0 after the first", got)
	}
}
