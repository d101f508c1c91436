package sqlite

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// ModelRegistry describes the embedded model registry to the catalog: that of the
// project's own records.
func ModelRegistry() extension.ModelRegistry {
	return extension.ModelRegistry{
		Kind: "embedded", Description: "Slipway's own records",
		New: func(h extension.Host, _ any) (port.ModelRegistry, error) { return h.Models, nil },
	}
}
