package fake

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Alarms is a monitoring service in memory. The zero value has no alarms, and is safe
// for concurrent use.
type Alarms struct {
	mu       sync.Mutex
	made     map[string]madeAlarm
	set      map[string]port.AlarmState
	muted    map[string]bool
	values   map[string][]float64
	broken   error
	asked    int
	measured []port.Measurement
}

type madeAlarm struct {
	port.Alarm
	owner port.AlarmOwner
}

var (
	_ port.Alarms = (*Alarms)(nil)
	_ port.Meter  = (*Alarms)(nil)
)

// Set makes an alarm of nobody, and sets its state, or that of one that was made.
func (a *Alarms) Set(name string, s port.AlarmState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.set == nil {
		a.set = map[string]port.AlarmState{}
	}
	a.set[name] = s
}

// Mute hides the actions of an alarm.
func (a *Alarms) Mute(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.muted == nil {
		a.muted = map[string]bool{}
	}
	a.muted[name] = true
}

// Remove removes an alarm.
func (a *Alarms) Remove(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.made, name)
	delete(a.set, name)
}

// Break makes every call fail; nil mends it.
func (a *Alarms) Break(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = err
}

// Asked is how often States was called.
func (a *Alarms) Asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

// Made lists the alarms that Ensure made.
func (a *Alarms) Made() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.made))
}

// Measured returns what was published.
func (a *Alarms) Measured() []port.Measurement {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.measured)
}

// AddValue is a value of an alarm's metric, or of the one that it is divided by.
func (a *Alarms) AddValue(of port.Alarm, value, per float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.values == nil {
		a.values = map[string][]float64{}
	}
	if of.Per != "" {
		value /= per
	}
	a.values[series(of)] = append(a.values[series(of)], value)
}

func series(a port.Alarm) string {
	return fmt.Sprint(a.Namespace, a.Metric, a.Per, a.Dimensions)
}

// Ensure implements port.Alarms.
func (a *Alarms) Ensure(_ context.Context, owner port.AlarmOwner, wanted []port.Alarm) (changed []string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return nil, a.broken
	}
	if a.made == nil {
		a.made = map[string]madeAlarm{}
	}
	names := map[string]bool{}
	for _, w := range wanted {
		names[w.Name] = true
		known, ok := a.made[w.Name]
		if _, foreign := a.set[w.Name]; foreign && !ok || ok && known.owner != owner {
			return nil, fault.New(fault.Conflict, "alarm %s is of another owner", w.Name)
		}
	}
	for name, known := range a.made {
		if known.owner == owner && !names[name] {
			delete(a.made, name)
			changed = append(changed, name)
		}
	}
	for _, w := range wanted {
		if known, ok := a.made[w.Name]; !ok || !reflect.DeepEqual(known.Alarm, w) {
			a.made[w.Name] = madeAlarm{w, owner}
			changed = append(changed, w.Name)
		}
	}
	return changed, nil
}

// States implements port.Alarms.
func (a *Alarms) States(_ context.Context, names []string) ([]port.AlarmStatus, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	if a.broken != nil {
		return nil, a.broken
	}
	all := make([]port.AlarmStatus, len(names))
	for i, name := range names {
		all[i] = port.AlarmStatus{Name: name, State: a.state(name), Reason: "Threshold Crossed"}
		if a.muted[name] {
			all[i].Muted = "rule night"
		}
	}
	return all, nil
}

func (a *Alarms) state(name string) port.AlarmState {
	if s, ok := a.set[name]; ok {
		return s
	}
	m, ok := a.made[name]
	if !ok {
		return port.AlarmMissing
	}
	values := a.values[series(m.Alarm)]
	values = values[max(0, len(values)-m.Periods):]
	above := 0
	for _, v := range values {
		if v > m.Threshold {
			above++
		}
	}
	switch {
	case len(values) == 0:
		return port.AlarmNoData
	case above >= m.Breaching:
		return port.AlarmRaised
	}
	return port.AlarmOK
}

// Publish implements port.Meter.
func (a *Alarms) Publish(_ context.Context, all []port.Measurement) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return a.broken
	}
	a.measured = append(a.measured, all...)
	return nil
}

// Streams keeps streams of lines in memory.
type Streams struct {
	mu     sync.Mutex
	lines  map[string][]string
	broken error
}

var _ port.LogStreams = (*Streams)(nil)

// Append implements port.LogStreams.
func (s *Streams) Append(_ context.Context, stream string, lines []port.LogLine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if s.lines == nil {
		s.lines = map[string][]string{}
	}
	for _, line := range lines {
		s.lines[stream] = append(s.lines[stream], line.Text)
	}
	return nil
}

// Break makes every call fail.
func (s *Streams) Break(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

// Text returns a stream as one text.
func (s *Streams) Text(stream string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines[stream], "\n")
}

// Names lists the streams.
func (s *Streams) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.lines))
}
