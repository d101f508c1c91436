package scan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/textline"
)

// The files in the step's folder of the run, and their limits.
const (
	sarifFile   = "scan.sarif"
	tableFile   = "scan.txt"
	sarifType   = "application/sarif+json"
	tableType   = "text/plain; charset=utf-8"
	maxFindings = 200 // findings in the output
	maxLogLines = 100 // of the table in the log
	maxCell     = 200 // characters of one cell: names from an image may contain anything
)

// fillOutput adds the verdict and what it is based on.
func fillOutput(out step.ScanOutput, j assessment, r port.ScanReport) step.ScanOutput {
	out.Verdict = j.Verdict
	out.Scanner, out.Distribution, out.Packages = r.Scanner, r.Distribution, r.Packages
	out.Database = r.Database
	out.Blocking = len(j.blocking())
	for _, f := range j.Findings {
		if out.Counts == nil {
			out.Counts = map[delivery.Severity]int{}
		}
		out.Counts[f.Severity]++
		switch {
		case f.waived:
			out.Waived++
		case f.suppressedByVEX:
			out.SuppressedByVEX++
		}
		if len(out.Findings) < maxFindings {
			out.Findings = append(out.Findings, f.Finding)
		}
	}
	return out
}

// writeArtifacts writes the findings as SARIF and as text.
func writeArtifacts(r step.Request, j assessment, report port.ScanReport, table string, out *step.ScanOutput) error {
	if j.Verdict == delivery.Unavailable && report.Scanner == "" {
		return nil // nothing was scanned
	}
	sarif, err := json.MarshalIndent(sarif(j, report), "", " ")
	if err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	if out.SARIF, err = writeArtifact(r.WorkDir, sarifFile, sarifType, append(sarif, '\n')); err != nil {
		return err
	}
	out.Table, err = writeArtifact(r.WorkDir, tableFile, tableType, []byte(scanSummary(report)+"\n\n"+table))
	return err
}

func writeArtifact(dir, name, kind string, data []byte) (*port.Document, error) {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return nil, fault.New(fault.Unavailable, "write %s", path).Cause(err).Hint("free disk space, or check the folder's permissions")
	}
	return &port.Document{Type: kind, Path: path, Digest: delivery.DigestOf(data), Size: int64(len(data))}, nil
}

// findingsTable formats the findings, one per line.
func findingsTable(j assessment) string {
	if len(j.Findings) == 0 {
		return "no findings\n"
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\tSEVERITY\tID\tPACKAGE\tVERSION\tFIXED IN\tTYPE\tWHERE\tNOTE")
	for _, f := range j.Findings {
		mark, note := "", f.Note
		if f.Blocks {
			mark = "x"
		}
		if f.Why != "" {
			note += ": " + f.Why
		}
		cells := []string{mark, string(f.Severity), f.ID, f.Package, f.Version, cmp.Or(strings.Join(f.FixedIn, ", "), "-"), f.Type, cmp.Or(f.Path, "-"), note}
		for i := range cells {
			cells[i] = textline.Printable(cells[i], maxCell)
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	_ = w.Flush() // into memory: it can't fail
	return text.String()
}
