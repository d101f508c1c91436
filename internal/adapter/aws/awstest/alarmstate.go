package awstest

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// alarmSpec is what PutMetricAlarm says.
type alarmSpec struct {
	AlarmName          string
	Namespace          string
	MetricName         string
	Dimensions         []dimension
	Statistic          string
	ExtendedStatistic  string
	Unit               string
	Period             int
	EvaluationPeriods  int
	DatapointsToAlarm  int
	Threshold          *float64
	ComparisonOperator string
	TreatMissingData   string
	Metrics            []struct {
		ID         string `json:"Id"`
		Expression string
		ReturnData *bool
		MetricStat *metricStat
	}
	WarmUpConfiguration *struct{ WarmUpPeriodDurationInMinutes int }
	Tags                []tag
}

type metricStat struct {
	Metric struct {
		Namespace, MetricName string
		Dimensions            []dimension
	}
	Period     int
	Stat, Unit string
}

// maxEvaluation bounds period times periods, in seconds. Source: PutMetricAlarm.
const maxEvaluation = 24 * 60 * 60

// ratio is the only metric math that awstest evaluates.
var ratio = regexp.MustCompile(`^FILL\((\w+), ?0\) ?/ ?(\w+)$`)

func (s *alarmSpec) check() error {
	period := s.period()
	switch {
	case s.ComparisonOperator != "GreaterThanThreshold" || s.Threshold == nil || s.EvaluationPeriods < 1:
		return refuse("ValidationError", "awstest evaluates alarms with GreaterThanThreshold, Threshold and EvaluationPeriods")
	case (s.MetricName == "") == (len(s.Metrics) == 0):
		return refuse("ValidationError", "exactly one of MetricName and Metrics")
	case s.MetricName != "" && (s.Statistic == "") == (s.ExtendedStatistic == ""):
		return refuse("ValidationError", "exactly one of Statistic and ExtendedStatistic")
	case period != 10 && period != 20 && period != 30 && (period < 60 || period%60 != 0):
		return refuse("ValidationError", "period %d: 10, 20, 30 or a multiple of 60", period)
	case period*s.EvaluationPeriods > maxEvaluation:
		return refuse("ValidationError", "EvaluationPeriods times Period is more than a day")
	case s.DatapointsToAlarm > s.EvaluationPeriods:
		return refuse("ValidationError", "DatapointsToAlarm is more than EvaluationPeriods")
	}
	if len(s.Metrics) == 0 {
		return nil
	}
	returned := 0
	for _, m := range s.Metrics {
		if m.ReturnData == nil || *m.ReturnData {
			returned++
		}
		if m.Expression != "" && !ratio.MatchString(m.Expression) {
			return refuse("ValidationError", "awstest evaluates no expression but FILL(a, 0) / b")
		}
	}
	if returned != 1 {
		return refuse("ValidationError", "%d of the metrics return data, not one", returned)
	}
	return nil
}

// period is in seconds.
func (s *alarmSpec) period() int {
	for _, m := range s.Metrics {
		if m.MetricStat != nil {
			return m.MetricStat.Period
		}
	}
	return s.Period
}

// tick numbers the evaluations: every ten seconds for periods below a minute, otherwise
// every minute.
func (s *alarmSpec) tick(t time.Time) int64 {
	every := int64(60)
	if s.period() < 60 {
		every = 10
	}
	return t.Unix() / every
}

// evaluate brings the alarm's state up to now.
func (m *metrics) evaluate(a *alarm, now time.Time) {
	if a.fixed || a.spec.tick(now) == a.evaluated {
		return // AWS has not looked at it since it was made
	}
	a.evaluated = a.spec.tick(now)
	if w := a.spec.WarmUpConfiguration; w != nil && now.Sub(a.configured) < time.Duration(w.WarmUpPeriodDurationInMinutes)*time.Minute {
		a.state, a.reason = StateNoData, "Warming up"
		return
	}
	a.state, a.reason = m.assess(a, now)
}

// assess looks at the most recent periods that have ended, and at two more before them
// in place of those without data. Source: CloudWatch's user guide, "Configuring how
// alarms treat missing data", whose tables are the cases of the test.
func (m *metrics) assess(a *alarm, now time.Time) (state, reason string) {
	s := a.spec
	n, need := s.EvaluationPeriods, s.DatapointsToAlarm
	if need == 0 {
		need = n
	}
	found, breaching := 0, 0
	var last float64
	for i := 0; i < n+2 && found < n; i++ {
		end := now.Unix()/int64(s.period()) - int64(i)
		v, ok := m.value(s, end-1)
		if !ok {
			continue
		}
		if found == 0 {
			last = v
		}
		found++
		if v > *s.Threshold {
			breaching++
		}
	}
	reason = fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints were greater than the threshold (%g); the last is %g", breaching, n, *s.Threshold, last)
	missing := n - found
	switch {
	case breaching >= need:
		return StateAlarm, reason
	case missing > 0 && s.TreatMissingData == "breaching" && breaching+missing >= need:
		return StateAlarm, reason + "; missing datapoints count as breaching"
	case s.TreatMissingData == "notBreaching" || s.TreatMissingData == "breaching":
		return StateOK, reason
	case missing > 0 && breaching == found && s.TreatMissingData == "ignore":
		return a.state, a.reason
	case found == 0:
		return StateNoData, fmt.Sprintf("Insufficient Data: %d datapoints were unknown", n)
	case missing > 0 && breaching == found:
		return StateAlarm, reason
	}
	return StateOK, reason
}

// value is the metric's value in the period of that number, if it has one.
func (m *metrics) value(s alarmSpec, period int64) (float64, bool) {
	if s.MetricName != "" {
		stat := metricStat{Period: s.Period, Stat: s.Statistic + s.ExtendedStatistic, Unit: s.Unit}
		stat.Metric.Namespace, stat.Metric.MetricName, stat.Metric.Dimensions = s.Namespace, s.MetricName, s.Dimensions
		return m.statistic(stat, period)
	}
	values, expression := map[string]float64{}, ""
	for _, q := range s.Metrics {
		if q.MetricStat == nil {
			expression = q.Expression
		} else if v, ok := m.statistic(*q.MetricStat, period); ok {
			values[q.ID] = v
		}
	}
	names := ratio.FindStringSubmatch(expression)
	if names == nil {
		return 0, false
	}
	below, ok := values[names[2]]
	return values[names[1]] / below, ok && below != 0
}

// statistic sums up the datapoints of a period. Those that are kept by the minute do not
// show in shorter ones.
func (m *metrics) statistic(s metricStat, period int64) (float64, bool) {
	var values []float64
	for _, d := range m.datapoints[seriesOf(s.Metric.Namespace, s.Metric.MetricName, s.Metric.Dimensions)] {
		if d.at.Unix()/int64(s.Period) != period || s.Period < 60 && d.resolution != 1 || s.Unit != "" && d.unit != s.Unit {
			continue
		}
		for i, v := range d.values {
			for range int(d.counts[i]) {
				values = append(values, v)
			}
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	switch s.Stat {
	case "Sum":
		return sum, true
	case "Average":
		return sum / float64(len(values)), true
	case "Minimum":
		return values[0], true
	case "Maximum":
		return values[len(values)-1], true
	case "SampleCount":
		return float64(len(values)), true
	}
	percent, err := strconv.ParseFloat(s.Stat[1:], 64) // p95
	if err != nil {
		return 0, false
	}
	return values[max(0, int(math.Ceil(percent/100*float64(len(values))))-1)], true
}
