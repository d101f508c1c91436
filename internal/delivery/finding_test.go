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
			t.Errorf("ParseSeverity(%q) = %s, want %s", word, got, want)
		}
	}
	for _, c := range []struct {
		s, than Severity
		want    bool
	}{
		{UnknownSeverity, Negligible, false}, {UnknownSeverity, UnknownSeverity, false}, {High, High, true}, {Critical, High, true}, {Medium, High, false},
	} {
		if got := c.s.AtLeast(c.than); got != c.want {
			t.Errorf("%s.AtLeast(%s) = %v, want %v", c.s, c.than, got, c.want)
		}
	}
}

func TestFinding_HasID(t *testing.T) {
	f := Finding{ID: "CVE-2026-1", Aliases: []string{"GHSA-x"}}
	for id, want := range map[string]bool{"cve-2026-1": true, "ghsa-X": true, "CVE-2026-10": false, "": false} {
		if got := f.HasID(id); got != want {
			t.Errorf("HasID(%q) = %v, want %v", id, got, want)
		}
	}
}
