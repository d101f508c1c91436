package cloudwatch

import (
	"context"
	"math"
	"slices"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// maxDatums is how many measurements a call takes. Source: PutMetricData in the API
// reference.
const maxDatums = 1000

type datum struct {
	MetricName        string
	Value             float64
	Unit              string `json:",omitempty"`
	Timestamp         float64
	StorageResolution int
	Dimensions        []dimension `json:",omitempty"`
}

// Publish implements port.Meter.
func (c *Client) Publish(ctx context.Context, all []port.Measurement) error {
	if len(all) == 0 {
		return nil
	}
	if err := c.check(ctx); err != nil {
		return err
	}
	data := make([]datum, len(all))
	for i, m := range all {
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			return fault.New(fault.Internal, "publish the metric %s: %g is not a number", m.Metric, m.Value)
		}
		data[i] = datum{m.Metric, m.Value, m.Unit, float64(m.Time.UnixMilli()) / 1000, 60, dimensionsOf(m.Dimensions)}
		if m.Fine {
			data[i].StorageResolution = 1
		}
	}
	for batch := range slices.Chunk(data, maxDatums) {
		in := map[string]any{"Namespace": c.namespace, "MetricData": batch}
		if err := c.call(ctx, "publish metrics in "+c.namespace, "PutMetricData", in, nil); err != nil {
			return err
		}
	}
	return nil
}
