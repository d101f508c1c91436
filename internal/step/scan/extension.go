package scan

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Extension describes the step to the catalog.
func Extension() extension.Step {
	return extension.Step{Kind: step.Scan, New: func(p extension.Ports) step.Step {
		databases := map[string]port.ScanDatabase{}
		for kind, s := range p.Scanners {
			if db, ok := s.(port.ScanDatabase); ok {
				databases[kind] = db
			}
		}
		return Step{Scanners: p.Scanners, Databases: databases, SBOMs: p.SBOMs, Images: p.Images}
	}}
}
