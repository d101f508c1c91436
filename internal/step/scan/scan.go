// Package scan checks the built image for known vulnerabilities before it is
// pushed, and generates its SBOMs.
package scan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// gateName is the name of the gate.
const gateName = "scan"

// How often a scanner's database is updated.
const (
	updateInterval = 24 * time.Hour // databases are built daily
	retryInterval  = time.Hour      // after a source did not respond
)

// Step scans.
type Step struct {
	Scanners  map[string]port.Scanner      // by the name in the file
	Databases map[string]port.ScanDatabase // of those whose database is ours to keep
	SBOMs     port.SBOMGenerator
	Images    port.ImageStore // for an image that was not built by this run
	Clock     step.Clock
}

// Run scans the image that the build step made. Its output is step.ScanOutput. It
// is never cached: tomorrow's database may have more about the same image.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.ScanParams](r.Spec)
	if err != nil {
		return step.Result{}, err
	}
	built, ok, err := step.OutputOf[step.BuildOutput](r.Inputs, step.Build)
	if err != nil {
		return step.Result{}, err
	}
	if !ok || !built.Digest.Valid() {
		return step.Result{}, fault.New(fault.Internal, "scan: the plan has no build step before it")
	}
	scanners, err := s.scanners(w)
	if err != nil {
		return step.Result{}, err
	}
	image := delivery.Image{Repository: w.Repository, Digest: built.Digest}
	excuses, err := s.suppressions(ctx, r, w, image)
	if err != nil {
		return step.FailWith(err), nil
	}
	if err := s.download(ctx, r, image, &built); err != nil {
		return step.Result{}, err
	}
	folder := filepath.Join(r.ArtifactsDir, "scans", built.Digest.Hex())
	r.Progress("generating the SBOMs of the image")
	var bills port.SBOMs
	err = r.WithSharedDir(ctx, folder, func() (err error) {
		bills, err = s.SBOMs.ImageSBOM(ctx, port.ImageSBOMRequest{Layout: built.Layout, Image: image, Dir: folder})
		return err
	})
	if err != nil {
		return step.Result{}, fmt.Errorf("generate the SBOMs of %s: %w", image, err)
	}
	away := s.updateDatabase(ctx, r, w)
	report, j, err := s.scan(ctx, w, scanners, excuses, port.ScanRequest{
		Layout: built.Layout, Image: image, CacheDir: folder, CreateRepository: w.Create, OnProgress: func(text string) { r.Progress("%s", text) },
	})
	if err != nil {
		return step.Result{}, fmt.Errorf("scan %s: %w", image, err)
	}
	if away != nil && j.Verdict == delivery.Unavailable {
		j.Reason += "; " + away.Error()
	}
	return s.finish(r, w, j, report, step.ScanOutput{Image: built.Digest, SBOMs: &bills})
}

// download brings an image that the registry has, and this machine does not, to this
// machine.
func (s Step) download(ctx context.Context, r step.Request, image delivery.Image, built *step.BuildOutput) error {
	if built.Layout != "" {
		return nil
	}
	r.Progress("downloading the image")
	built.Layout = filepath.Join(r.ArtifactsDir, "images", built.Digest.Hex())
	return s.Images.Download(ctx, image, built.Layout)
}

// assess returns the verdict on a report, or on a failed scan.
func (s Step) assess(w step.ScanParams, report port.ScanReport, excuses []suppression, err error) assessment {
	if err != nil {
		return assessment{Verdict: delivery.Unavailable, Reason: err.Error(), Hint: fault.HintOf(err)}
	}
	report.Findings = port.DedupeFindings(report.Findings)
	return assess(w, report, excuses, s.Clock.Now())
}

// suppressions returns the statements of the commit's VEX documents.
func (s Step) suppressions(ctx context.Context, r step.Request, w step.ScanParams, image delivery.Image) ([]suppression, error) {
	if len(w.VEX) == 0 {
		return nil, nil
	}
	checkout, err := r.Checkout(ctx)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(checkout)
	if err != nil {
		return nil, fmt.Errorf("open the checkout: %w", err)
	}
	defer root.Close()
	var all []suppression
	for _, name := range w.VEX {
		raw, err := readVEX(root, name)
		if err == nil {
			var some []suppression
			some, err = parseVEX(raw, image)
			all = append(all, some...)
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "read a VEX document").Location(name).Cause(err).
				Hint("it must be an OpenVEX document in the commit; see https://openvex.dev")
		}
	}
	return all, nil
}

// readVEX reads a file of the checkout, of limited size, and nothing outside of
// it.
func readVEX(root *os.Root, name string) ([]byte, error) {
	info, err := root.Stat(filepath.FromSlash(name))
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > maxVEXBytes:
		return nil, errors.New("it is larger than 4 MiB")
	}
	return root.ReadFile(filepath.FromSlash(name))
}

// updateDatabase downloads a newer database if there may be one. Its error is not
// fatal: the present one may still be recent enough, and the assessment reports
// if it is not.
func (s Step) updateDatabase(ctx context.Context, r step.Request, w step.ScanParams) error {
	db, ok := s.Databases[w.Scanner]
	for _, also := range w.Also {
		if !ok {
			db, ok = s.Databases[also]
		}
	}
	if !ok {
		return nil
	}
	now := s.Clock.Now()
	d, err := db.Status(ctx)
	if err == nil && (now.Sub(d.BuiltAt) < updateInterval || now.Sub(d.CheckedAt) < retryInterval && !d.BuiltAt.IsZero()) {
		return nil
	}
	r.Progress("checking for a newer vulnerability database")
	d, changed, err := db.Update(ctx, func(done, total int64) {
		if total > 0 {
			r.Progress("downloaded %.1f of %.1f MB of the vulnerability database", float64(done)/1e6, float64(total)/1e6)
		} else {
			r.Progress("downloaded %.1f MB of the vulnerability database", float64(done)/1e6)
		}
	})
	switch {
	case err != nil:
		r.Logf("the vulnerability database could not be updated: %v", err)
	case changed:
		r.Logf("downloaded the vulnerability database built %s", d.BuiltAt.UTC().Format(time.DateTime))
	}
	return err
}

// finish writes the artifacts and reports the verdict.
func (s Step) finish(r step.Request, w step.ScanParams, j assessment, report port.ScanReport, out step.ScanOutput) (step.Result, error) {
	out = fillOutput(out, j, report)
	table := findingsTable(j)
	if err := writeArtifacts(r, j, report, table, &out); err != nil {
		return step.Result{}, err
	}
	logReport(r, j, report, table)
	accepted := j.Verdict == delivery.Unavailable && w.Unavailable == step.AcceptUnavailable
	out.UnavailableAccepted = accepted
	gate := delivery.GateResult{Gate: gateName, Verdict: j.Verdict, Evidence: gateEvidence(w, j, report)}
	r.ReportGates(gate)
	result, err := step.Succeed(gate.Evidence, out)
	if err != nil {
		return step.Result{}, err
	}
	result.GateResults = []delivery.GateResult{gate}
	switch {
	case accepted:
		text := fmt.Sprintf("the scan is unavailable, and %s accepts that: %s", r.Environment, j.Reason)
		result.Summary = text
		if r.Emit != nil {
			r.Emit(event.Event{Kind: event.Notice, Environment: r.Environment, Text: text, Hint: j.Hint})
		}
	case j.Verdict != delivery.Passed:
		result.Outcome, result.Summary = delivery.OutcomeFailed, ""
		result.Cause, result.Hint = failureCause(w, j), j.Hint
	}
	return result, nil
}

// logReport writes the report to the log.
func logReport(r step.Request, j assessment, report port.ScanReport, table string) {
	r.Logf("%s", scanSummary(report))
	lines := strings.Split(strings.TrimRight(table, "\n"), "\n")
	if len(lines) > maxLogLines {
		lines = append(lines[:maxLogLines], fmt.Sprintf("... and %d more: see %s", len(lines)-maxLogLines, tableFile))
	}
	if len(j.Findings) > 0 {
		r.Logf("%s", strings.Join(lines, "\n"))
	}
	for _, note := range append(report.Notes, j.Notes...) {
		r.Logf("note: %s", note)
	}
	if j.Verdict == delivery.Unavailable {
		r.Logf("unavailable: %s", j.Reason)
	}
}
