package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// scene is a scan about to happen.
type scene struct {
	step     Step
	request  step.Request
	scanner  *fake.Scanner
	database *fake.ScanDatabase
	checkout string
	log      *bytes.Buffer
	events   []event.Event
}

func stage(t *testing.T, change func(*step.ScanParams)) *scene {
	t.Helper()
	now := at("2026-11-24T12:00:00Z")
	w := policy(change)
	w.Scanner, w.Repository = "grype", "mlops/retail-api"
	with, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	built, err := json.Marshal(step.BuildOutput{BuiltImage: port.BuiltImage{Digest: fake.Digest(7), Layout: "/layout"}})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{scanner: &fake.Scanner{}, database: &fake.ScanDatabase{Now: port.ScanDatabaseInfo{BuiltAt: now.Add(-time.Hour)}}, checkout: t.TempDir(), log: &bytes.Buffer{}}
	s.scanner.Report = port.ScanReport{Scanner: "grype 1", Database: now.Add(-time.Hour), Distribution: "debian 12", Packages: map[string]int{"deb": 93}}
	s.step = Step{
		Scanners: map[string]port.Scanner{"grype": s.scanner}, Databases: map[string]port.ScanDatabase{"grype": s.database},
		SBOMs: fake.SBOMGenerator{}, Clock: step.Clock{Time: func() time.Time { return now }},
	}
	s.request = step.Request{
		Run: "20260102-030405-abcd", Service: "api", Environment: "prod", ArtifactsDir: t.TempDir(), WorkDir: t.TempDir(), Log: s.log,
		Spec:     step.Spec{Name: "scan", Kind: step.Scan, Params: with},
		Inputs:   map[string]json.RawMessage{"build": built},
		Checkout: func(context.Context) (string, error) { return s.checkout, nil },
		Emit:     func(e event.Event) { s.events = append(s.events, e) },
	}
	return s
}

func (s *scene) run(t *testing.T) (step.Result, step.ScanOutput) {
	t.Helper()
	r, err := s.step.Run(t.Context(), s.request)
	if err != nil {
		t.Fatal(err)
	}
	var out step.ScanOutput
	if len(r.Output) > 0 {
		if err := json.Unmarshal(r.Output, &out); err != nil {
			t.Fatal(err)
		}
	}
	return r, out
}

func TestRun_Passed(t *testing.T) {
	s := stage(t, nil)
	r, out := s.run(t)
	if r.Outcome != delivery.OutcomeSucceeded || out.Verdict != delivery.Passed || out.Image != fake.Digest(7) || out.UnavailableAccepted {
		t.Fatalf("outcome = %s (%q), verdict %s, %d blocking, %d waived", r.Outcome, r.Cause, out.Verdict, out.Blocking, out.Waived)
	}
	if r.Summary != "0 of 0 findings at or above HIGH; 93 deb; database of 2026-11-24" {
		t.Error(r.Summary)
	}
	wantGates := []delivery.GateResult{{Gate: "scan", Verdict: delivery.Passed, Evidence: r.Summary}}
	if diff := cmp.Diff(wantGates, r.GateResults); diff != "" {
		t.Errorf("gates (-want +got):\n%s", diff)
	}
	if out.SBOMs == nil || !out.SBOMs.CycloneDX.Digest.Valid() || !strings.Contains(out.SBOMs.SPDX.Path, fake.Digest(7).Hex()) {
		t.Errorf("SBOMs = %+v, want CycloneDX and SPDX of the image", out.SBOMs)
	}
	got := s.scanner.Requests()[0]
	want := port.ScanRequest{Layout: "/layout", Image: delivery.Image{Repository: "mlops/retail-api", Digest: fake.Digest(7)}, CacheDir: got.CacheDir}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(port.ScanRequest{}, "OnProgress")); diff != "" || !filepath.IsAbs(got.CacheDir) {
		t.Errorf("cache in %q, request (-want +got):\n%s", got.CacheDir, diff)
	}
	if s.database.Updates != 0 {
		t.Errorf("updates of a database of an hour ago = %d, want 0", s.database.Updates)
	}
}

func TestRun_FailedWritesArtifacts(t *testing.T) {
	s := stage(t, func(w *step.ScanParams) {
		w.Waive = []step.Waiver{{ID: "CVE-2026-1", Until: "2026-12-01", Reason: "only at build time"}}
	})
	hostile := unfixed(delivery.Low)
	hostile.ID, hostile.Package = "CVE-2026-2", "lib\x1b[2Jy\nz"
	s.scanner.Report.Findings = []delivery.Finding{unfixed(delivery.High), hostile, log4j()}
	r, out := s.run(t)
	if r.Outcome != delivery.OutcomeFailed || out.Verdict != delivery.Failed || out.Blocking != 1 || out.Waived != 1 || out.Counts[delivery.Critical] != 1 {
		t.Fatalf("outcome = %s (%q), verdict %s, %d blocking, %d waived", r.Outcome, r.Cause, out.Verdict, out.Blocking, out.Waived)
	}
	if want := "scan: 1 finding at or above HIGH: CVE-2021-44228 CRITICAL in log4j-core 2.14.1 (fixed in 2.15.0)"; r.Cause != want || r.Hint == "" {
		t.Errorf("cause = %q, hint = %q, want %q with a hint", r.Cause, r.Hint, want)
	}
	if out.Findings[0].ID != "CVE-2021-44228" {
		t.Errorf("first finding = %s, want the blocking one", out.Findings[0].ID)
	}
	table, err := os.ReadFile(out.Table.Path)
	if err != nil || strings.ContainsAny(string(table), "\x1b") || !strings.Contains(string(table), "waived until 2026-12-01: only at build time") {
		t.Errorf("error = %v, table:\n%s", err, table)
	}
	if !strings.Contains(s.log.String(), "CVE-2021-44228") || strings.Contains(s.log.String(), "\x1b") {
		t.Errorf("log:\n%s", s.log)
	}
	var doc sarifLog
	raw, err := os.ReadFile(out.SARIF.Path)
	if err == nil {
		err = json.Unmarshal(raw, &doc)
	}
	if err != nil || len(doc.Runs[0].Results) != 3 || doc.Runs[0].Results[0].Level != "error" {
		t.Fatalf("error = %v, want three results, the first an error: %s", err, raw)
	}
	for _, one := range doc.Runs[0].Results {
		if waived := one.Rule == "CVE-2026-1"; waived != (len(one.Suppressions) == 1) {
			t.Errorf("suppressions of %s = %+v, want one only for the waived finding", one.Rule, one.Suppressions)
		}
		if doc.Runs[0].Tool.Driver.Rules[one.Index].ID != one.Rule {
			t.Errorf("rule %d = %s, want %s", one.Index, doc.Runs[0].Tool.Driver.Rules[one.Index].ID, one.Rule)
		}
	}
}

func TestRun_Unavailable(t *testing.T) {
	missing := fault.New(fault.Unavailable, "there is no vulnerability database").Hint("slipway scan db update")
	for name, c := range map[string]struct {
		accept  step.UnavailablePolicy
		outcome delivery.Outcome
	}{"stops by default": {"", delivery.OutcomeFailed}, "stops": {"fail", delivery.OutcomeFailed}, "is accepted": {"accept", delivery.OutcomeSucceeded}} {
		t.Run(name, func(t *testing.T) {
			s := stage(t, func(w *step.ScanParams) { w.Unavailable = c.accept })
			s.scanner.Report, s.scanner.Fail = port.ScanReport{}, missing
			r, out := s.run(t)
			if r.Outcome != c.outcome || out.Verdict != delivery.Unavailable || r.GateResults[0].Verdict != delivery.Unavailable {
				t.Fatalf("outcome = %s (%q, %q), want %s", r.Outcome, r.Summary, r.Cause, c.outcome)
			}
			if out.UnavailableAccepted != (c.outcome == delivery.OutcomeSucceeded) || out.SBOMs == nil {
				t.Errorf("accepted = %v, SBOMs = %+v, want accepted only if it succeeded, and SBOMs", out.UnavailableAccepted, out.SBOMs)
			}
			if c.outcome == delivery.OutcomeFailed && (r.Cause != "scan is unavailable: there is no vulnerability database" || r.Hint != "slipway scan db update") {
				t.Errorf("cause = %q, hint = %q, want the scanner's error with its hint", r.Cause, r.Hint)
			}
			noticed := false
			for _, e := range s.events {
				noticed = noticed || e.Kind == event.Notice
			}
			if noticed != out.UnavailableAccepted {
				t.Errorf("notice emitted = %v, want %v; events %+v", noticed, out.UnavailableAccepted, s.events)
			}
		})
	}
}

// The cause names the error of the update, too.
func TestRun_UnavailableNamesUpdateError(t *testing.T) {
	s := stage(t, nil)
	s.database.Now, s.database.Fail = port.ScanDatabaseInfo{}, errors.New("no route to its source")
	s.scanner.Report, s.scanner.Fail = port.ScanReport{}, fault.New(fault.Unavailable, "there is no vulnerability database")
	if r, _ := s.run(t); r.Cause != "scan is unavailable: there is no vulnerability database; no route to its source" {
		t.Errorf("cause = %q, want both errors", r.Cause)
	}
}

func TestRun_ErrorIsNoVerdict(t *testing.T) {
	s := stage(t, nil)
	s.scanner.Fail = fault.New(fault.Corrupt, "read the image")
	if r, err := s.step.Run(t.Context(), s.request); !fault.Is(err, fault.Corrupt) {
		t.Errorf("result = %+v, error = %v, want kind %s", r, err, fault.Corrupt)
	}
	s = stage(t, nil)
	s.step.SBOMs = fake.SBOMGenerator{Fail: errors.New("disk")}
	if r, err := s.step.Run(t.Context(), s.request); err == nil {
		t.Errorf("result = %+v, want the error of the SBOM generator", r)
	}
	s = stage(t, nil)
	s.request.Inputs = nil
	if r, err := s.step.Run(t.Context(), s.request); !fault.Is(err, fault.Internal) {
		t.Errorf("result = %+v, error = %v, want kind %s", r, err, fault.Internal)
	}
	s = stage(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := s.step.Run(ctx, s.request); !errors.Is(err, context.Canceled) {
		t.Errorf("result = %+v, error = %v, want %v", r, err, context.Canceled)
	}
}

func TestRun_UpdatesOldDatabase(t *testing.T) {
	now := at("2026-11-24T12:00:00Z")
	for name, c := range map[string]struct {
		have    port.ScanDatabaseInfo
		fail    error
		updates int
	}{
		"none":                     {port.ScanDatabaseInfo{}, nil, 1},
		"none, asked a moment ago": {port.ScanDatabaseInfo{CheckedAt: now.Add(-time.Minute)}, nil, 1},
		"fresh":                    {port.ScanDatabaseInfo{BuiltAt: now.Add(-23 * time.Hour)}, nil, 0},
		"old":                      {port.ScanDatabaseInfo{BuiltAt: now.Add(-25 * time.Hour)}, nil, 1},
		"old, asked a moment ago":  {port.ScanDatabaseInfo{BuiltAt: now.Add(-25 * time.Hour), CheckedAt: now.Add(-time.Minute)}, nil, 0},
		"old, asked a while ago":   {port.ScanDatabaseInfo{BuiltAt: now.Add(-25 * time.Hour), CheckedAt: now.Add(-2 * time.Hour)}, nil, 1},
		"old, source unreachable":  {port.ScanDatabaseInfo{BuiltAt: now.Add(-25 * time.Hour)}, errors.New("no route"), 1},
		"none, source unreachable": {port.ScanDatabaseInfo{}, errors.New("no route"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage(t, nil)
			s.database.Now, s.database.Newer, s.database.Fail = c.have, port.ScanDatabaseInfo{BuiltAt: now}, c.fail
			r, _ := s.run(t)
			if s.database.Updates != c.updates || r.Outcome != delivery.OutcomeSucceeded {
				t.Errorf("updates = %d, outcome = %s (%q), want %d and %s", s.database.Updates, r.Outcome, r.Cause, c.updates, delivery.OutcomeSucceeded)
			}
			if c.fail != nil && !strings.Contains(s.log.String(), "no route") {
				t.Errorf("log = %q, want the error of the update", s.log)
			}
		})
	}
}

func TestRun_ReadsVEXFromCommit(t *testing.T) {
	s := stage(t, func(w *step.ScanParams) { w.VEX = []string{"security/vex.json"} })
	s.scanner.Report.Findings = []delivery.Finding{log4j()}
	if r, _ := s.run(t); r.Outcome != delivery.OutcomeFailed || !strings.HasPrefix(r.Cause, "security/vex.json: read a VEX document: ") {
		t.Errorf("outcome without the file = %s (%q), want %s with its name", r.Outcome, r.Cause, delivery.OutcomeFailed)
	}
	if err := os.MkdirAll(filepath.Join(s.checkout, "security"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.checkout, "security", "vex.json")
	if err := os.WriteFile(file, []byte(vex(statement("CVE-2021-44228", log4jPURL, unaffected))), 0o600); err != nil {
		t.Fatal(err)
	}
	r, out := s.run(t)
	if r.Outcome != delivery.OutcomeSucceeded || out.SuppressedByVEX != 1 || !strings.Contains(r.Summary, "1 suppressed by VEX") {
		t.Errorf("outcome = %s (%q, %q), want %s", r.Outcome, r.Summary, r.Cause, delivery.OutcomeSucceeded)
	}
	elsewhere := filepath.Join(t.TempDir(), "vex.json")
	if err := errors.Join(os.Rename(file, elsewhere), os.Symlink(elsewhere, file)); err != nil {
		t.Fatal(err)
	}
	if r, _ := s.run(t); r.Outcome != delivery.OutcomeFailed {
		t.Errorf("outcome with a link out of the checkout = %s (%q), want %s", r.Outcome, r.Cause, delivery.OutcomeFailed)
	}
}

// downloads is a registry that notes what was downloaded.
type downloads struct {
	fake.ImageStore
	got map[string]delivery.Image // folder -> image
}

func (d *downloads) Download(_ context.Context, img delivery.Image, dir string) error {
	d.got[dir] = img
	return nil
}

// TestRun_DownloadsExistingImage: an image that the build step found in the registry
// is downloaded, to be scanned as one that was built.
func TestRun_DownloadsExistingImage(t *testing.T) {
	s := stage(t, nil)
	images := &downloads{got: map[string]delivery.Image{}}
	s.step.Images = images
	built, err := json.Marshal(step.BuildOutput{BuiltImage: port.BuiltImage{Digest: fake.Digest(7)}, Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	s.request.Inputs["build"] = built
	if r, _ := s.run(t); r.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("outcome = %s (%q), want %s", r.Outcome, r.Cause, delivery.OutcomeSucceeded)
	}
	got := s.scanner.Requests()[0]
	if want := (delivery.Image{Repository: "mlops/retail-api", Digest: fake.Digest(7)}); images.got[got.Layout] != want || !filepath.IsAbs(got.Layout) {
		t.Errorf("scanned %q, downloaded %v, want %v there", got.Layout, images.got, want)
	}
}
