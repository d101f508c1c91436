package step

import (
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// DatasetParams are the data of training and evaluation that is in a store of objects.
type DatasetParams struct {
	DataAt   delivery.Location  `json:"data_at,omitzero"`   // of the store, as only its adapter reads it
	Datasets []delivery.Dataset `json:"datasets,omitempty"` // as the plan pinned them; Data has their URIs
}

// Datasets find the store of a place.
type Datasets func(at delivery.Location) (port.Datasets, error)
