package step

import (
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// With returns the parameters as an environment overrides them: its manifests stand
// instead of the release's, its values files come after them. p is not changed.
func (p ManifestParams) With(o delivery.Overrides) ManifestParams {
	if len(o.Manifests) > 0 {
		p.Manifests = o.Manifests
	}
	p.Values = slices.Concat(p.Values, o.Values)
	return p
}
