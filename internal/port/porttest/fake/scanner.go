package fake

import (
	"context"
	"crypto/sha256"
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
	orders []port.ScanOrder
}

// Scan gives the report.
func (s *Scanner) Scan(ctx context.Context, o port.ScanOrder) (port.ScanReport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = append(s.orders, o)
	if ctx.Err() != nil {
		return port.ScanReport{}, context.Cause(ctx)
	}
	return s.Report, s.Fail
}

// Orders are all that it was asked.
func (s *Scanner) Orders() []port.ScanOrder {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]port.ScanOrder(nil), s.orders...)
}

// ScanDatabase has one description, and another after an update.
type ScanDatabase struct {
	Now, Newer port.ScanData
	Fail       error
	Updates    int
}

// Status gives the description.
func (d *ScanDatabase) Status(context.Context) (port.ScanData, error) { return d.Now, nil }

// Update makes the newer one the one that is there.
func (d *ScanDatabase) Update(_ context.Context, p port.Progress) (port.ScanData, bool, error) {
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
func (d *ScanDatabase) Import(ctx context.Context, _ string) (port.ScanData, error) {
	now, _, err := d.Update(ctx, nil)
	return now, err
}

// Biller writes documents that only name their subject.
type Biller struct{ Fail error }

// BillImage names the image.
func (b Biller) BillImage(_ context.Context, o port.ImageBill) (port.Bills, error) {
	return b.write(o.Dir, o.Image.String())
}

// BillModel names the model.
func (b Biller) BillModel(_ context.Context, o port.ModelBill) (port.Bills, error) {
	return b.write(o.Dir, o.Model.String())
}

func (b Biller) write(dir, subject string) (port.Bills, error) {
	if b.Fail != nil {
		return port.Bills{}, b.Fail
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return port.Bills{}, err
	}
	put := func(name, kind string) (port.Document, error) {
		text := fmt.Appendf(nil, `{"kind": %q, "of": %q}`+"\n", kind, subject)
		path := filepath.Join(dir, name)
		sum := delivery.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(text)))
		return port.Document{Type: kind, Path: path, Digest: sum, Size: int64(len(text))}, os.WriteFile(path, text, 0o644)
	}
	cyclone, err := put("bom.cdx.json", port.CycloneDXType)
	if err != nil {
		return port.Bills{}, err
	}
	spdx, err := put("bom.spdx.json", port.SPDXType)
	return port.Bills{CycloneDX: cyclone, SPDX: spdx}, err
}
