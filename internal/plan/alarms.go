package plan

import (
	"cmp"
	"fmt"
	"maps"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// alarmParams are the environment's alarms; nil: it has none.
func (pl *planner) alarmParams() *step.AlarmParams {
	if len(pl.env.Alarms) == 0 {
		return nil
	}
	env := pl.plan.Environment
	at, err := delivery.NewLocation(extension.Monitoring{AWS: pl.project.AWSOf(env), Namespace: pl.project.AWS.ProbeNamespace()})
	if err != nil {
		return nil // our own types: it cannot happen
	}
	p := &step.AlarmParams{
		At: at, Own: pl.ownAlarms(env), Named: pl.env.NamedAlarms(), Within: pl.env.AlarmsWithin(),
		NoTraffic: cmp.Or(pl.project.Deploy.Watch.NoTraffic, step.AcceptNoTraffic),
	}
	if pl.env.AlarmsFrom.Synthetic {
		p.Synthetic = &step.SyntheticParams{
			Path: cmp.Or(pl.project.Deploy.Health, defaultHealth), Dimensions: config.ProbeDimensions(pl.project.Service, env),
		}
	}
	return p
}

// An alarm looks at three periods, and two of them raise it: one slow moment does not.
const (
	alarmPeriods   = 3
	alarmBreaching = 2
)

// ownAlarms are those that are made for the environment.
func (pl *planner) ownAlarms(env delivery.Environment) (all []port.Alarm) {
	for _, a := range pl.env.Alarms {
		if a.Measured() {
			all = append(all, alarmOn(pl.env.AlarmsFrom, pl.project.AWS.ProbeNamespace(), pl.project.Service, env, a))
		}
	}
	return all
}

// alarmOn is an alarm on what the source publishes.
func alarmOn(s config.AlarmSource, namespace, service string, env delivery.Environment, a config.Alarm) port.Alarm {
	out := port.Alarm{
		Name: fmt.Sprintf("slipway/%s/%s/%s", service, env, a.Key()), Period: delivery.Duration(time.Minute),
		Periods: alarmPeriods, Breaching: alarmBreaching, Dimensions: config.ProbeDimensions(service, env),
	}
	var latency, requests, errors, unit string
	switch {
	case s.LoadBalancer != nil:
		out.Namespace, out.Dimensions = "AWS/ApplicationELB", map[string]string{"LoadBalancer": s.LoadBalancer.Name, "TargetGroup": s.LoadBalancer.TargetGroup}
		latency, requests, errors, unit = "TargetResponseTime", "RequestCount", "HTTPCode_Target_5XX_Count", "seconds"
	case s.Service != nil:
		m := s.Service
		out.Namespace, out.Period = m.Namespace, cmp.Or(m.Period, out.Period)
		if len(m.Dimensions) > 0 {
			out.Dimensions = maps.Clone(m.Dimensions)
		}
		latency, requests, errors, unit = m.Latency, m.Requests, m.Errors, m.Unit
	default:
		out.Namespace, out.Period = namespace, delivery.Duration(10*time.Second)
		latency, requests, errors = step.ProbeLatency, step.ProbeRequests, step.ProbeErrors
	}
	if a.P95 == 0 {
		out.Metric, out.Per, out.Statistic, out.Threshold = errors, requests, "Sum", a.ErrorRate
		return out
	}
	out.Metric, out.Statistic, out.Threshold = latency, "p95", float64(a.P95.D())/float64(time.Millisecond)
	if unit == "seconds" {
		out.Threshold = a.P95.D().Seconds()
	}
	return out
}

// alarmsWithin is how long steps may wait for data.
func alarmsWithin(p *step.AlarmParams) delivery.Duration {
	if p == nil {
		return 0
	}
	return p.Within
}

// alarmReason is what watches, and until when.
func alarmReason(p *step.AlarmParams) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("; asks %s, and nothing watches afterwards", plural(len(p.Own)+len(p.Named), "alarm"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
