package scan

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// With two scanners, the stricter counts: what either finds, what either could not look
// at, and the older data. Once the image has failed, the second is not asked.
func TestRun_TwoScanners(t *testing.T) {
	now := at("2026-11-24T12:00:00Z")
	high := []delivery.Finding{{ID: "CVE-2099-0001", Severity: delivery.High, Package: "openssl", Version: "3"}}
	low := []delivery.Finding{{ID: "CVE-2099-0002", Severity: delivery.Low, Package: "zlib", Version: "1"}}
	for _, tt := range []struct {
		name          string
		first, second *fake.Scanner
		verdict       delivery.Verdict
		asked         int // of the second
		says          string
	}{
		{"both pass", &fake.Scanner{}, &fake.Scanner{}, delivery.Passed, 1, ""},
		{"the first finds", &fake.Scanner{Report: port.ScanReport{Findings: high}}, &fake.Scanner{}, delivery.Failed, 0, "CVE-2099-0001"},
		{"the second finds", &fake.Scanner{Report: port.ScanReport{Findings: low}}, &fake.Scanner{Report: port.ScanReport{Findings: high}}, delivery.Failed, 1, "CVE-2099-0001"},
		{"the first could not look", &fake.Scanner{Fail: fault.New(fault.Unavailable, "no database")}, &fake.Scanner{}, delivery.Unavailable, 1, "no database"},
		{"the second could not look", &fake.Scanner{}, &fake.Scanner{Fail: fault.New(fault.Unavailable, "ECR's scan is FAILED")}, delivery.Unavailable, 1, "ECR's scan is FAILED"},
		{"one could not look, the other finds", &fake.Scanner{Fail: fault.New(fault.Unavailable, "no database")}, &fake.Scanner{Report: port.ScanReport{Findings: high}}, delivery.Failed, 1, "CVE-2099-0001"},
		{"the second has a gap", &fake.Scanner{}, &fake.Scanner{Report: port.ScanReport{Gaps: []port.ScanGap{{What: "unsupported"}}}}, delivery.Unavailable, 1, "unsupported"},
		{"old data of the second", &fake.Scanner{}, &fake.Scanner{Report: port.ScanReport{Database: now.Add(-200 * time.Hour)}}, delivery.Unavailable, 1, "old"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := stage(t, func(w *step.ScanParams) { w.Also = []string{"ecr"} })
			first, second := tt.first, tt.second
			for name, scanner := range map[string]*fake.Scanner{"grype 1": first, "ecr 2": second} {
				scanner.Report.Scanner = name
				if scanner.Report.Database.IsZero() {
					scanner.Report.Database = now.Add(-time.Hour)
				}
			}
			s.step.Scanners = map[string]port.Scanner{"grype": first, "ecr": second}
			r, out := s.run(t)
			if out.Verdict != tt.verdict || !strings.Contains(r.Cause, tt.says) || len(second.Requests()) != tt.asked {
				t.Errorf("verdict %s (%s), the second was asked %d times; want %s (%s), %d", out.Verdict, r.Cause, len(second.Requests()), tt.verdict, tt.says, tt.asked)
			}
		})
	}
}
