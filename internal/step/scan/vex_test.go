package scan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

func image() delivery.Image {
	return delivery.Image{Repository: "registry.example.com/mlops/retail-api", Digest: delivery.Digest("sha256:" + strings.Repeat("ab", 32))}
}

func vex(statements ...string) string {
	return `{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/1", "author": "Team", "timestamp": "2026-01-01T00:00:00Z", "version": 1,
 "statements": [` + strings.Join(statements, ",") + `]}`
}

func statement(id, product, rest string) string {
	return fmt.Sprintf(`{"vulnerability": {"name": %q}, "products": [%s], %s}`, id, product, rest)
}

const (
	unaffected = `"status": "not_affected", "justification": "vulnerable_code_not_in_execute_path"`
	log4jPURL  = `{"@id": "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"}`
)

func TestParseVEX(t *testing.T) {
	digest := string(image().Digest)
	cases := map[string]struct {
		doc  string
		pass bool
	}{
		"not affected":                   {vex(statement("CVE-2021-44228", log4jPURL, unaffected)), true},
		"by an alias":                    {vex(statement("GHSA-jfh8-c2jp-5v3q", log4jPURL, unaffected)), true},
		"fixed":                          {vex(statement("CVE-2021-44228", log4jPURL, `"status": "fixed"`)), true},
		"affected":                       {vex(statement("CVE-2021-44228", log4jPURL, `"status": "affected", "action_statement": "update"`)), false},
		"under investigation":            {vex(statement("CVE-2021-44228", log4jPURL, `"status": "under_investigation"`)), false},
		"another vulnerability":          {vex(statement("CVE-2021-45046", log4jPURL, unaffected)), false},
		"another version":                {vex(statement("CVE-2021-44228", `{"@id": "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.0"}`, unaffected)), false},
		"any version":                    {vex(statement("CVE-2021-44228", `{"@id": "pkg:maven/org.apache.logging.log4j/log4j-core"}`, unaffected)), true},
		"another namespace":              {vex(statement("CVE-2021-44228", `{"@id": "pkg:maven/org.example/log4j-core@2.14.1"}`, unaffected)), false},
		"identifiers count first":        {vex(statement("CVE-2021-44228", `{"@id": "urn:x", "identifiers": {"purl": "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"}}`, unaffected)), true},
		"in the image":                   {vex(statement("CVE-2021-44228", `{"@id": "pkg:oci/retail-api"}`, unaffected)), true},
		"in the image of this digest":    {vex(statement("CVE-2021-44228", `{"@id": "pkg:oci/retail-api@`+strings.Replace(digest, ":", "%3A", 1)+`"}`, unaffected)), true},
		"in the image of another digest": {vex(statement("CVE-2021-44228", `{"@id": "pkg:oci/retail-api@sha256%3A`+strings.Repeat("cd", 32)+`"}`, unaffected)), false},
		"in another image":               {vex(statement("CVE-2021-44228", `{"@id": "pkg:oci/other"}`, unaffected)), false},
		"at another registry":            {vex(statement("CVE-2021-44228", `{"@id": "pkg:oci/retail-api?repository_url=elsewhere.example.com/retail-api"}`, unaffected)), false},
		"at this registry":               {vex(statement("CVE-2021-44228", `{"@id": "pkg:oci/retail-api?repository_url=registry.example.com/mlops/retail-api"}`, unaffected)), true},
		"a part of the image":            {vex(statement("CVE-2021-44228", `{"@id": "pkg:oci/retail-api", "subcomponents": [`+log4jPURL+`]}`, unaffected)), true},
		"another part of the image":      {vex(statement("CVE-2021-44228", `{"@id": "pkg:oci/retail-api", "subcomponents": [{"@id": "pkg:pypi/requests"}]}`, unaffected)), false},
		"the later statement counts": {vex(
			statement("CVE-2021-44228", log4jPURL, unaffected+`, "timestamp": "2026-02-01T00:00:00Z"`),
			statement("CVE-2021-44228", log4jPURL, `"status": "affected", "timestamp": "2026-03-01T00:00:00Z"`)), false},
		"the later statement, in any order": {vex(
			statement("CVE-2021-44228", log4jPURL, `"status": "affected", "timestamp": "2026-02-01T00:00:00Z"`),
			statement("CVE-2021-44228", log4jPURL, unaffected+`, "timestamp": "2026-03-01T00:00:00Z"`),
			statement("CVE-2021-44228", log4jPURL, `"status": "affected", "timestamp": "2026-01-02T00:00:00Z"`)), true},
		"a name as a text": {vex(`{"vulnerability": "CVE-2021-44228", "products": [` + log4jPURL + `], ` + unaffected + `}`), true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			excuses, err := parseVEX([]byte(c.doc), image())
			if err != nil {
				t.Fatal(err)
			}
			report := port.ScanReport{Database: at("2026-11-24T00:00:00Z"), Findings: []delivery.Finding{log4j()}}
			j := assess(policy(nil), report, excuses, at("2026-11-24T12:00:00Z"))
			if (j.Verdict == delivery.Passed) != c.pass {
				t.Errorf("%s: %+v", j.Verdict, j.Findings)
			}
			if c.pass && !strings.HasPrefix(j.Findings[0].Note, "VEX: ") {
				t.Errorf("note %q", j.Findings[0].Note)
			}
		})
	}
}

func TestParseVEX_Refused(t *testing.T) {
	for name, c := range map[string]struct{ doc, says string }{
		"no JSON":                   {"{", "not a valid OpenVEX document"},
		"two documents":             {vex() + vex(), "unexpected data after"},
		"unknown key":               {strings.Replace(vex(), `"author"`, `"writer"`, 1), `unknown field "writer"`},
		"not OpenVEX":               {strings.Replace(vex(), "openvex.dev", "example.com", 1), "@context"},
		"another name's beginning":  {strings.Replace(vex(), "openvex.dev/ns", "openvex.dev/nsx", 1), "@context"},
		"no author":                 {strings.Replace(vex(), `"Team"`, `""`, 1), "author is missing"},
		"no justification":          {vex(statement("CVE-1", log4jPURL, `"status": "not_affected"`)), "statements[0]: not_affected needs"},
		"a justification of theirs": {vex(statement("CVE-1", log4jPURL, `"status": "not_affected", "justification": "trust_me"`)), `invalid justification "trust_me"`},
		"no status":                 {vex(statement("CVE-1", log4jPURL, `"status": "fine"`)), `invalid status "fine"`},
		"no product":                {vex(statement("CVE-1", "", unaffected)), "products is empty"},
		"a product that is no URL":  {vex(statement("CVE-1", `{"@id": "log4j"}`, unaffected)), "products[0]: invalid package URL \"log4j\""},
		"no vulnerability":          {vex(statement("", log4jPURL, unaffected)), "no name"},
		"parts of a package":        {vex(statement("CVE-1", `{"@id": "pkg:pypi/a", "subcomponents": [`+log4jPURL+`]}`, unaffected)), "a package can't have subcomponents"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseVEX([]byte(c.doc), image())
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q", name, err, c.says)
			}
		})
	}
}

func FuzzVEX(f *testing.F) {
	f.Add(vex(statement("CVE-2021-44228", log4jPURL, unaffected)))
	f.Add(vex(statement("CVE-1", `{"@id": "pkg:oci/retail-api@sha256%3Aab?x=%zz", "subcomponents": [{}]}`, `"status": "fixed"`)))
	f.Add(`{"@context":"https://openvex.dev/ns","author":"a","statements":[{"vulnerability":null}]}`)
	f.Fuzz(func(t *testing.T, doc string) {
		excuses, err := parseVEX([]byte(doc), image())
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		for _, e := range excuses {
			if len(e.names) == 0 || e.names[0] == "" || e.image == nil && e.component == nil {
				t.Errorf("an excuse for anything: %+v", e)
			}
		}
		findSuppression(excuses, log4j())
	})
}

func TestParsePURL(t *testing.T) {
	type parts struct{ Type, Namespace, Name, Version string }
	for text, want := range map[string]parts{
		"pkg:pypi/Foo_Bar@1.0":                   {"pypi", "", "foo-bar", "1.0"},
		"pkg:pypi/foo.bar@1.0":                   {"pypi", "", "foo-bar", "1.0"},
		"pkg:npm/%40angular/core@12.0.0#a/b":     {"npm", "@angular", "core", "12.0.0"},
		"pkg:deb/debian/libc6@2.36-9?arch=amd64": {"deb", "debian", "libc6", "2.36-9"},
		"pkg:rpm/RedHat/OpenSSL@3.0":             {"rpm", "redhat", "openssl", "3.0"},
		"pkg:golang/github.com/a/b@v1.2.3":       {"golang", "github.com/a", "b", "v1.2.3"},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := parsePURL(text)
			if diff := cmp.Diff(want, parts{got.Type, got.Namespace, got.Name, got.Version}); err != nil || diff != "" {
				t.Errorf("error = %v (-want +got):\n%s", err, diff)
			}
		})
	}
	for _, text := range []string{"", "pkg:", "pkg:pypi", "pkg:pypi/", "pypi/x", "pkg:/x", "pkg:pypi/%zz", "pkg:pypi/a@%zz", "pkg:pypi/a?%zz", "pkg:pypi/a?x\ny=1"} {
		if p, err := parsePURL(text); err == nil {
			t.Errorf("parsePURL(%q) = %v, want an error", text, p)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("parsePURL(%q): an error of several lines: %q", text, err)
		}
	}
}
