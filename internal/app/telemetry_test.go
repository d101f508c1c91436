package app

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/redact"
)

// told is a session whose project wants metrics and logs, and what it sends and says.
type told struct {
	*session
	streams *fake.Streams
	meter   *fake.Alarms
	mu      sync.Mutex
	seen    []event.Event
}

func newTold(a config.AWS) *told {
	s := &told{streams: &fake.Streams{}, meter: &fake.Alarms{}}
	s.session = &session{
		app: &App{Clock: time.Now}, project: config.Project{Service: "retail", AWS: a}, redactor: redact.FromEnviron(nil),
		engine: &engine.Engine{Sink: event.SinkFunc(s.see)},
		deps: Dependencies{
			LogStreams: func(extension.AWS, string) port.LogStreams { return s.streams },
			Monitors:   func(delivery.Location) (port.Alarms, port.Meter, error) { return s.meter, s.meter, nil },
		},
	}
	return s
}

// see keeps an event. The run and what delivers its telemetry emit at once.
func (s *told) see(e event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, e)
}

func (s *told) emit(kind event.Kind, step string, o delivery.Outcome, seconds float64) {
	s.engine.Sink.Emit(event.Event{Time: time.Now(), Kind: kind, Run: "r-1", Environment: "prod", Step: step, Outcome: o, Seconds: seconds, Text: "text of " + step})
}

func TestTelemetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTold(config.AWS{Region: "eu-west-1", Metrics: "Releases", Logs: "/slipway"})
		tel := s.startTelemetry()
		s.emit(event.RunStarted, "", "", 0)
		s.emit(event.StepLog, "test", "", 0)
		s.emit(event.StepFinished, "deploy", delivery.OutcomeSucceeded, 12)
		time.Sleep(telemetryInterval + time.Second) // sent while the run goes on
		synctest.Wait()
		if got := s.streams.Text("prod/r-1"); strings.Count(got, "\n") != 1 || strings.Contains(got, "text of test") || !strings.Contains(got, `"kind":"step.finished"`) {
			t.Errorf("stream %q", got)
		}
		s.emit(event.RunFinished, "", delivery.OutcomeRolledBack, 90)
		tel.Close()
		got := map[string]float64{}
		for _, m := range s.meter.Measured() {
			got[m.Metric] = m.Value
			if m.Dimensions["Service"] != "retail" || m.Dimensions["Environment"] != "prod" {
				t.Errorf("%+v", m)
			}
		}
		for metric, want := range map[string]float64{"DeployDuration": 12, "RunDuration": 90, "Deployed": 0, "RolledBack": 1, "Failed": 1} {
			if v, ok := got[metric]; !ok || v != want {
				t.Errorf("%s is %v, want %v", metric, v, want)
			}
		}
		if text := s.streams.Text("prod/r-1"); !strings.Contains(text, "rolled_back") || len(s.streams.Names()) != 1 {
			t.Errorf("streams %q", s.streams.Names())
		}
	})
}

// What can't be sent is said once, and changes nothing else.
func TestTelemetry_Fails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTold(config.AWS{Region: "eu-west-1", Metrics: "Releases", Logs: "/slipway"})
		s.streams.Break(errors.New("no such group"))
		s.meter.Break(errors.New("denied"))
		tel := s.startTelemetry()
		for range 3 {
			s.emit(event.RunFinished, "", delivery.OutcomeDeployed, 1)
			time.Sleep(2 * telemetryInterval)
		}
		tel.Close()
		var notices []string
		for _, e := range s.seen {
			if e.Kind == event.Notice {
				notices = append(notices, e.Text)
			}
		}
		if text := fmt.Sprint(notices); len(notices) != 2 || !strings.Contains(text, "no such group") || !strings.Contains(text, "denied") {
			t.Errorf("notices %q", notices)
		}
	})
}

func TestTelemetry_TooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTold(config.AWS{Region: "eu-west-1", Logs: "/slipway"})
		tel := s.startTelemetry()
		for range maxPending + 7 {
			s.emit(event.GateEvaluated, "", "", 0)
		}
		tel.Close()
		if last := s.seen[len(s.seen)-1]; last.Text != "7 events are not in the log stream: there were too many at once" || len(s.meter.Measured()) > 0 {
			t.Errorf("last event %q", last.Text)
		}
	})
}

func TestTelemetry_Off(t *testing.T) {
	s := newTold(config.AWS{Region: "eu-west-1"})
	tel := s.startTelemetry()
	tel.Close()
	if tel != nil {
		t.Error("a project that names neither is written about")
	}
}
