package cloudwatch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/port"
)

// metricAlarm is an alarm as PutMetricAlarm takes it, and DescribeAlarms returns it.
type metricAlarm struct {
	AlarmName          string
	AlarmDescription   string      `json:",omitempty"`
	Namespace          string      `json:",omitempty"`
	MetricName         string      `json:",omitempty"`
	Dimensions         []dimension `json:",omitempty"`
	Statistic          string      `json:",omitempty"`
	ExtendedStatistic  string      `json:",omitempty"`
	Unit               string      `json:",omitempty"`
	Period             int         `json:",omitempty"`
	Metrics            []query     `json:",omitempty"`
	EvaluationPeriods  int
	DatapointsToAlarm  int
	Threshold          float64
	ComparisonOperator string
	TreatMissingData   string
}

type dimension struct{ Name, Value string }

// query is one term of an alarm on a ratio.
type query struct {
	ID         string      `json:"Id"`
	Expression string      `json:",omitempty"`
	Label      string      `json:",omitempty"`
	MetricStat *metricStat `json:",omitempty"`
	ReturnData bool
}

type metricStat struct {
	Metric struct {
		Namespace, MetricName string
		Dimensions            []dimension
	}
	Period int
	Stat   string
	Unit   string `json:",omitempty"`
}

type putInput struct {
	metricAlarm
	Tags []tag `json:",omitempty"`
}

type tag struct{ Key, Value string }

type describeInput struct {
	AlarmNames      []string `json:",omitempty"`
	AlarmNamePrefix string   `json:",omitempty"`
	AlarmTypes      []string
	MaxRecords      int
	NextToken       string `json:",omitempty"`
}

// described is an alarm with its state. Composite and log alarms have no more.
type described struct {
	metricAlarm
	ActionsEnabled          bool
	StateValue, StateReason string
}

func alarmTypes() []string { return []string{"MetricAlarm", "CompositeAlarm", "LogAlarm"} }

// NamePrefix begins the names of the alarms that are made for an environment.
func NamePrefix(o port.AlarmOwner) string {
	return fmt.Sprintf("slipway/%s/%s/", o.Service, o.Environment)
}

// mark begins the description of an alarm that was made for the owner.
func mark(o port.AlarmOwner) string {
	return fmt.Sprintf("Made by Slipway for %s in %s.", o.Service, o.Environment)
}

func tagsOf(o port.AlarmOwner) []tag {
	return []tag{{"slipway:service", o.Service}, {"slipway:environment", string(o.Environment)}}
}

// wireOf is the alarm as CloudWatch has it. Missing datapoints are missing: neither good
// nor bad, which the state INSUFFICIENT_DATA says.
func wireOf(o port.AlarmOwner, a port.Alarm) metricAlarm {
	w := metricAlarm{
		AlarmName: a.Name, AlarmDescription: strings.TrimSpace(mark(o) + " " + a.Description),
		EvaluationPeriods: a.Periods, DatapointsToAlarm: a.Breaching, Threshold: a.Threshold,
		ComparisonOperator: "GreaterThanThreshold", TreatMissingData: "missing",
	}
	if a.Per != "" {
		// A counter of errors has no datapoint where there are none.
		w.Metrics = []query{
			{ID: "errors", MetricStat: statOf(a, a.Metric)}, {ID: "requests", MetricStat: statOf(a, a.Per)},
			{ID: "rate", Expression: "FILL(errors, 0) / requests", Label: a.Name, ReturnData: true},
		}
		return w
	}
	w.Namespace, w.MetricName, w.Dimensions, w.Unit, w.Period = a.Namespace, a.Metric, dimensionsOf(a.Dimensions), a.Unit, int(a.Period.D().Seconds())
	if strings.HasPrefix(a.Statistic, "p") {
		w.ExtendedStatistic = a.Statistic
	} else {
		w.Statistic = a.Statistic
	}
	return w
}

func statOf(a port.Alarm, metric string) *metricStat {
	s := &metricStat{Period: int(a.Period.D().Seconds()), Stat: a.Statistic, Unit: a.Unit}
	s.Metric.Namespace, s.Metric.MetricName, s.Metric.Dimensions = a.Namespace, metric, dimensionsOf(a.Dimensions)
	return s
}

func dimensionsOf(m map[string]string) (all []dimension) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, dimension{name, m[name]})
	}
	return all
}

// normal is the alarm without what says nothing about when it is raised: its text, and
// the order of lists.
func (a metricAlarm) normal() metricAlarm {
	a.AlarmDescription = ""
	a.Dimensions = sorted(a.Dimensions)
	a.Metrics = slices.SortedFunc(slices.Values(a.Metrics), func(x, y query) int { return strings.Compare(x.ID, y.ID) })
	for i, q := range a.Metrics {
		if q.MetricStat != nil {
			s := *q.MetricStat
			s.Metric.Dimensions = sorted(s.Metric.Dimensions)
			a.Metrics[i].MetricStat = &s
		}
		a.Metrics[i].Label = ""
	}
	return a
}

func sorted(all []dimension) []dimension {
	return slices.SortedFunc(slices.Values(all), func(x, y dimension) int { return strings.Compare(x.Name, y.Name) })
}
