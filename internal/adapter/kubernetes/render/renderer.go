package render

import (
	"fmt"
	"slices"

	"github.com/slipway-cd/slipway/internal/port"
)

// renderer carries the objects through the rendering steps.
type renderer struct {
	m       port.Manifests
	objects []object
	notes   []string
	secrets []port.Secret
}

func (r *renderer) addNote(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(r.notes, n) {
		r.notes = append(r.notes, n)
	}
}
