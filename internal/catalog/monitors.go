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

// monitors makes a client for each place once: it keeps its credentials.
type monitors struct {
	options session.Options

	mu   sync.Mutex
	made map[delivery.Location]*cloudwatch.Client
}

// find is a step.Monitors.
func (m *monitors) find(at delivery.Location) (port.Alarms, port.Meter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.made[at]; c != nil {
		return c, c, nil
	}
	var where extension.Monitoring
	if err := at.Decode(&where); err != nil {
		return nil, nil, err
	}
	if m.made == nil {
		m.made = map[delivery.Location]*cloudwatch.Client{}
	}
	c := cloudwatch.New(where.AWS, where.Namespace, m.options)
	m.made[at] = c
	return c, c, nil
}

// datasets makes a client for each place once: it keeps its credentials.
type datasets struct {
	options session.Options

	mu   sync.Mutex
	made map[delivery.Location]*s3.Datasets
}

// find is a step.Datasets.
func (d *datasets) find(at delivery.Location) (port.Datasets, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.made[at]; known != nil {
		return known, nil
	}
	var where extension.AWS
	if err := at.Decode(&where); err != nil {
		return nil, err
	}
	if d.made == nil {
		d.made = map[delivery.Location]*s3.Datasets{}
	}
	d.made[at] = s3.NewDatasets(where, d.options)
	return d.made[at], nil
}

// logStreams makes the streams of a place once, as they know what exists there.
func logStreams() app.LogStreams {
	var mu sync.Mutex
	type place struct {
		at    extension.AWS
		group string
	}
	made := map[place]*cloudwatchlogs.Streams{}
	return func(at extension.AWS, group string) port.LogStreams {
		mu.Lock()
		defer mu.Unlock()
		p := place{at, group}
		if made[p] == nil {
			made[p] = cloudwatchlogs.New(at, group, session.Options{})
		}
		return made[p]
	}
}
