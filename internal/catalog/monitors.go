package catalog

import (
	"sync"

	"github.com/slipway-cd/slipway/internal/adapter/aws/cloudwatch"
	"github.com/slipway-cd/slipway/internal/adapter/aws/cloudwatchlogs"
	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// clients makes a client for each place once, as it keeps its credentials and knows what
// exists there. Safe for concurrent use.
type clients[P comparable, C any] struct {
	mu   sync.Mutex
	made map[P]C
}

func (c *clients[P, C]) at(place P, create func() (C, error)) (C, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.made[place]; ok {
		return known, nil
	}
	made, err := create()
	if err != nil {
		return made, err
	}
	if c.made == nil {
		c.made = map[P]C{}
	}
	c.made[place] = made
	return made, nil
}

// monitors finds alarms and metrics.
type monitors struct {
	options session.Options
	clients clients[delivery.Location, *cloudwatch.Client]
}

// find is a step.Monitors.
func (m *monitors) find(at delivery.Location) (port.Alarms, port.Meter, error) {
	c, err := m.clients.at(at, func() (*cloudwatch.Client, error) {
		var where extension.Monitoring
		err := at.Decode(&where)
		return cloudwatch.New(where.AWS, where.Namespace, m.options), err
	})
	if err != nil {
		return nil, nil, err
	}
	return c, c, nil
}

// datasets finds training data in a store of objects.
type datasets struct {
	options session.Options
	clients clients[delivery.Location, *s3.Datasets]
}

// find is a step.Datasets.
func (d *datasets) find(at delivery.Location) (port.Datasets, error) {
	c, err := d.clients.at(at, func() (*s3.Datasets, error) {
		var where extension.AWS
		err := at.Decode(&where)
		return s3.NewDatasets(where, d.options), err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// logStreams finds the streams of a group.
func logStreams() app.LogStreams {
	type place struct {
		at    extension.AWS
		group string
	}
	var made clients[place, *cloudwatchlogs.Streams]
	return func(at extension.AWS, group string) port.LogStreams {
		c, _ := made.at(place{at, group}, func() (*cloudwatchlogs.Streams, error) { return cloudwatchlogs.New(at, group, session.Options{}), nil }) // it can't fail
		return c
	}
}
