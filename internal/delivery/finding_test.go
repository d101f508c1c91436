package delivery

import "testing"

func TestSeverity(t *testing.T) {
	all := Severities()
	for i := 1; i < len(all); i++ {
		if !all[i-1].WorseThan(all[i]) || all[i].WorseThan(all[i-1]) {
			t.Errorf("%s is not worse than %s", all[i-1], all[i])
		}
	}
	for word, want := range map[string]Severity{"Critical": Critical, " high ": High, "": UnknownSeverity, "SPICY": UnknownSeverity, "negligible": Negligible} {
		if got := ParseSeverity(word); got != want {
			t.Errorf("%q: %s", word, got)
		}
	}
	if UnknownSeverity.AtLeast(Negligible) || UnknownSeverity.AtLeast(UnknownSeverity) || !High.AtLeast(High) || !Critical.AtLeast(High) || Medium.AtLeast(High) {
		t.Error("AtLeast")
	}
}

func TestFinding_HasID(t *testing.T) {
	f := Finding{ID: "CVE-2026-1", Aliases: []string{"GHSA-x"}}
	if !f.HasID("cve-2026-1") || !f.HasID("ghsa-X") || f.HasID("CVE-2026-10") || f.HasID("") {
		t.Errorf("%+v", f)
	}
}
