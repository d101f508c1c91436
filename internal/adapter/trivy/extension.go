package trivy

import (
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Extension describes the scanner to the catalog.
func Extension() extension.Scanner {
	return extension.Scanner{
		Kind: "trivy", Description: "the program of that name",
		New: func(extension.Host) (port.Scanner, error) { return New(Config{}), nil },
	}
}
