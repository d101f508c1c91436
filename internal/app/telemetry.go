package app

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

const (
	telemetryInterval = 5 * time.Second
	telemetryTimeout  = 10 * time.Second // of the last lines and metrics; the run has ended then
	// maxPending bounds the lines that wait to be written: events of a run are few, and
	// lines of steps are not among them.
	maxPending = 10_000
)

// telemetry writes a run's events to a stream, and publishes how it went: it never
// blocks a run, and never fails it.
type telemetry struct {
	service string
	streams func(delivery.Environment) port.LogStreams
	meter   func(delivery.Environment) (port.Meter, error)
	notice  func(delivery.Environment, string)
	now     func() time.Time

	mu      sync.Mutex
	lines   map[streamID][]port.LogLine
	metrics map[delivery.Environment][]port.Measurement
	pending int
	dropped int
	said    map[string]bool // which failures were reported

	sending sync.Mutex
	stop    chan struct{}
	done    chan struct{}
}

type streamID struct {
	env delivery.Environment
	run delivery.RunID
}

func (s streamID) String() string { return fmt.Sprintf("%s/%s", s.env, s.run) }

// startTelemetry begins to listen to the engine's events; Close ends it. Nil: the project
// wants neither logs nor metrics.
func (s *session) startTelemetry() *telemetry {
	a := s.project.AWS
	if a.Logs == "" && a.Metrics == "" || s.preview {
		return nil
	}
	t := &telemetry{
		service: s.project.Service, notice: s.notice, now: s.app.Clock, said: map[string]bool{},
		lines: map[streamID][]port.LogLine{}, metrics: map[delivery.Environment][]port.Measurement{},
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	if a.Logs != "" && s.deps.LogStreams != nil {
		t.streams = func(env delivery.Environment) port.LogStreams { return s.deps.LogStreams(s.project.AWSOf(env), a.Logs) }
	}
	if a.Metrics != "" && s.deps.Monitors != nil {
		t.meter = func(env delivery.Environment) (port.Meter, error) {
			at, err := delivery.NewLocation(extension.Monitoring{AWS: s.project.AWSOf(env), Namespace: a.Metrics})
			if err != nil {
				return nil, err
			}
			_, meter, err := s.deps.Monitors(at)
			return meter, err
		}
	}
	said := s.engine.Sink
	s.engine.Sink = event.SinkFunc(func(e event.Event) {
		said.Emit(e)
		t.take(e)
	})
	go t.deliver()
	return t
}

// take keeps what is to be sent of an event, which has its secrets masked.
func (t *telemetry) take(e event.Event) {
	if e.Run == "" || e.Kind == event.StepLog || e.Kind == event.StepProgress {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.meter != nil {
		t.metrics[e.Environment] = append(t.metrics[e.Environment], t.measure(e)...)
	}
	if t.streams == nil {
		return
	}
	if t.pending >= maxPending {
		t.dropped++
		return
	}
	if text, err := json.Marshal(e); err == nil {
		id := streamID{e.Environment, e.Run}
		t.lines[id] = append(t.lines[id], port.LogLine{Time: e.Time, Text: string(text)})
		t.pending++
	}
}

// measure is what an event says in figures.
func (t *telemetry) measure(e event.Event) []port.Measurement {
	of := func(metric string, value float64, unit string) port.Measurement {
		return port.Measurement{Metric: metric, Value: value, Unit: unit, Time: e.Time, Dimensions: config.ProbeDimensions(t.service, e.Environment)}
	}
	count := func(metric string, outcomes ...delivery.Outcome) port.Measurement {
		n := 0.0
		for _, o := range outcomes {
			if e.Outcome == o {
				n = 1
			}
		}
		return of(metric, n, "Count")
	}
	switch {
	case e.Kind == event.StepFinished && e.Step == string(step.Deploy) && e.Outcome == delivery.OutcomeSucceeded:
		return []port.Measurement{of("DeployDuration", e.Seconds, "Seconds")}
	case e.Kind == event.RunFinished && e.Outcome != delivery.OutcomeWaiting:
		return []port.Measurement{
			of("RunDuration", e.Seconds, "Seconds"), count("Deployed", delivery.OutcomeDeployed),
			count("RolledBack", delivery.OutcomeRolledBack, delivery.OutcomeRollbackFailed),
			count("Failed", delivery.OutcomeFailed, delivery.OutcomeRolledBack, delivery.OutcomeRollbackFailed),
		}
	}
	return nil
}

func (t *telemetry) deliver() {
	defer close(t.done)
	tick := time.NewTicker(telemetryInterval)
	defer tick.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
			ctx, cancel := context.WithTimeout(context.Background(), telemetryTimeout)
			t.send(ctx)
			cancel()
		}
	}
}

// send sends what is pending. What fails is not sent again: the run's own records have it.
func (t *telemetry) send(ctx context.Context) {
	t.sending.Lock()
	defer t.sending.Unlock()
	t.mu.Lock()
	lines, metrics, dropped := t.lines, t.metrics, t.dropped
	t.lines, t.metrics, t.pending, t.dropped = map[streamID][]port.LogLine{}, map[delivery.Environment][]port.Measurement{}, 0, 0
	t.mu.Unlock()
	for id, all := range lines {
		if err := t.streams(id.env).Append(ctx, id.String(), all); err != nil {
			t.report(id.env, "the log stream "+id.String()+" lacks lines: "+err.Error(), "logs")
		}
	}
	if dropped > 0 {
		t.report("", fmt.Sprintf("%d events are not in the log stream: there were too many at once", dropped), "dropped")
	}
	for env, all := range metrics {
		meter, err := t.meter(env)
		if err == nil {
			err = meter.Publish(ctx, all)
		}
		if err != nil {
			t.report(env, "metrics of the run were not published: "+err.Error(), "metrics")
		}
	}
}

// report emits a notice, once for each kind of failure.
func (t *telemetry) report(env delivery.Environment, text, what string) {
	t.mu.Lock()
	known := t.said[what]
	t.said[what] = true
	t.mu.Unlock()
	if !known {
		t.notice(env, text)
	}
}

// Close sends the rest.
func (t *telemetry) Close() {
	if t == nil {
		return
	}
	close(t.stop)
	<-t.done
	ctx, cancel := context.WithTimeout(context.Background(), telemetryTimeout)
	defer cancel()
	t.send(ctx)
}
