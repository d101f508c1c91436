package fake

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Scanner answers with what it was given. Safe for concurrent use.
type Scanner struct {
	Report port.ScanReport
	Fail   error

	mu     sync.Mutex
	orders []port.ScanRequest
}

// Scan gives the report.
func (s *Scanner) Scan(ctx context.Context, o port.ScanRequest) (port.ScanReport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = append(s.orders, o)
	if ctx.Err() != nil {
		return port.ScanReport{}, context.Cause(ctx)
	}
	return s.Report, s.Fail
}

// Requests are all that it was asked.
func (s *Scanner) Requests() []port.ScanRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]port.ScanRequest(nil), s.orders...)
}

// ScanDatabase has one description, and another after an update.
type ScanDatabase struct {
	Now, Newer port.ScanDatabaseInfo
	Fail       error
	Updates    int
}

// Status gives the description.
func (d *ScanDatabase) Status(context.Context) (port.ScanDatabaseInfo, error) { return d.Now, nil }

// Update makes the newer one the one that is there.
func (d *ScanDatabase) Update(_ context.Context, p port.Progress) (port.ScanDatabaseInfo, bool, error) {
	d.Updates++
	if d.Fail != nil {
		return d.Now, false, d.Fail
	}
	if p != nil {
		p(1, 2)
	}
	d.Now = d.Newer
	return d.Now, true, nil
}

// Import is like Update.
func (d *ScanDatabase) Import(ctx context.Context, _ string) (port.ScanDatabaseInfo, error) {
	now, _, err := d.Update(ctx, nil)
	return now, err
}

// SBOMGenerator writes documents that only name their subject.
type SBOMGenerator struct{ Fail error }

// ImageSBOM names the image.
func (b SBOMGenerator) ImageSBOM(_ context.Context, o port.ImageSBOMRequest) (port.SBOMs, error) {
	return b.write(o.Dir, o.Image.String())
}

// ModelSBOM names the model.
func (b SBOMGenerator) ModelSBOM(_ context.Context, o port.ModelSBOMRequest) (port.SBOMs, error) {
	return b.write(o.Dir, o.Model.String())
}

func (b SBOMGenerator) write(dir, subject string) (port.SBOMs, error) {
	if b.Fail != nil {
		return port.SBOMs{}, b.Fail
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return port.SBOMs{}, err
	}
	put := func(name, kind string) (port.Document, error) {
		text := fmt.Appendf(nil, `{"kind": %q, "of": %q}`+"\n", kind, subject)
		path := filepath.Join(dir, name)
		return port.Document{Type: kind, Path: path, Digest: delivery.DigestOf(text), Size: int64(len(text))}, os.WriteFile(path, text, 0o644)
	}
	cyclone, err := put("bom.cdx.json", port.CycloneDXType)
	if err != nil {
		return port.SBOMs{}, err
	}
	spdx, err := put("bom.spdx.json", port.SPDXType)
	return port.SBOMs{CycloneDX: cyclone, SPDX: spdx}, err
}
