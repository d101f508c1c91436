package port

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Alarm is an alarm on one metric, or on the ratio of two, as a monitoring service
// evaluates it: it is raised while enough periods are above the threshold.
type Alarm struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"` // for people; not compared
	Namespace   string            `json:"namespace"`
	Metric      string            `json:"metric"`
	Per         string            `json:"per,omitempty"`  // metric that Metric is divided by; empty: none
	Dimensions  map[string]string `json:"dimensions"`     // exactly these
	Statistic   string            `json:"statistic"`      // p95, Sum, Average, Maximum...
	Unit        string            `json:"unit,omitempty"` // of the datapoints that count; empty: all
	Period      delivery.Duration `json:"period"`         // 10s, 20s, 30s, or minutes
	Periods     int               `json:"periods"`        // that are looked at
	Breaching   int               `json:"breaching"`      // of them, how many raise it
	Threshold   float64           `json:"threshold"`      // in the metric's unit
}

// AlarmOwner is whose alarms are made.
type AlarmOwner struct {
	Service     string
	Environment delivery.Environment
}

// AlarmState is what an alarm says.
type AlarmState string

// The states.
const (
	AlarmOK      AlarmState = "ok"
	AlarmRaised  AlarmState = "alarm"
	AlarmNoData  AlarmState = "no data" // new, warming up, or nothing was published
	AlarmMissing AlarmState = "missing" // there is none of that name
)

// AlarmStatus is the state of one alarm.
type AlarmStatus struct {
	Name   string
	State  AlarmState
	Reason string // in the service's words, one line
	Muted  string // what hides its actions, which says nothing about its state; empty: nothing does
}

// Alarms are the alarms of one place of a monitoring service.
type Alarms interface {
	// Ensure makes the owner's alarms those that are wanted: it creates what is missing,
	// changes what differs, and removes what the owner does not want any more. Alarms of
	// others stay; one of them with a wanted name is fault.Conflict, and nothing is
	// changed then. It returns the names of those that it changed. Idempotent.
	Ensure(ctx context.Context, owner AlarmOwner, wanted []Alarm) (changed []string, err error)
	// States returns the state of each alarm, in the order of the names. It asks the
	// service, which evaluates: what an alarm does when it is raised plays no part.
	States(ctx context.Context, names []string) ([]AlarmStatus, error)
}

// Measurement is one value of a metric.
type Measurement struct {
	Metric     string
	Value      float64
	Unit       string // as the service names it: Milliseconds, Count, Seconds, None
	Time       time.Time
	Fine       bool // it is kept by the second, not by the minute
	Dimensions map[string]string
}

// Meter takes measurements.
type Meter interface {
	// Publish stores all of them, in a namespace of the meter's own. After an error, some
	// may be stored.
	Publish(ctx context.Context, all []Measurement) error
}

// LogLine is one line of a stream.
type LogLine struct {
	Time time.Time
	Text string
}

// LogStreams keeps streams of lines for people.
type LogStreams interface {
	// Append adds lines, the oldest first, to a stream, which it makes if it does not
	// exist. A line that is too long for the service is cut. After an error, some may be
	// stored.
	Append(ctx context.Context, stream string, lines []LogLine) error
}
