package rollout

import (
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// ModelUseOf returns whether one of a release's replicas has opened the model, and that
// in words.
func ModelUseOf(obs port.Observation, id delivery.ReleaseID) (port.ModelUse, string) {
	total, opened, unknown := 0, 0, 0
	for _, r := range obs.Replicas {
		if r.Release != id {
			continue
		}
		total++
		switch r.ModelOpened {
		case port.ModelOpened:
			opened++
		case port.ModelNotOpened:
		default:
			unknown++
		}
	}
	switch {
	case opened == total && total > 0:
		return port.ModelOpened, "model opened"
	case opened > 0:
		return port.ModelOpened, fmt.Sprintf("model opened by %d of %d replicas", opened, total)
	case unknown > 0 || total == 0:
		return port.ModelUseUnknown, ""
	}
	return port.ModelNotOpened, "model not opened"
}
