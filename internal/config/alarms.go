package config

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Alarm is one alarm that an environment's releases must not raise: exactly one key.
type Alarm struct {
	P95       delivery.Duration `yaml:"p95" jsonschema_description:"Maximum 95th percentile of latency."`
	ErrorRate float64           `yaml:"error_rate" jsonschema:"minimum=0,maximum=1" jsonschema_description:"Maximum share of failed requests."`
	Name      string            `yaml:"name" jsonschema:"minLength=1,maxLength=255" jsonschema_description:"Name of an alarm that others made, of any kind."`
}

// AlarmSource is who publishes the metrics that alarms are on: exactly one key.
type AlarmSource struct {
	LoadBalancer *LoadBalancer   `yaml:"load_balancer" json:",omitempty" jsonschema_description:"An Application Load Balancer, of its target group's responses. Its metrics come every minute."`
	Service      *ServiceMetrics `yaml:"service" json:",omitempty" jsonschema_description:"The service itself, through the embedded metric format (EMF) or AWS's distribution of OpenTelemetry (ADOT)."`
	Synthetic    bool            `yaml:"synthetic" json:",omitempty" jsonschema_description:"Slipway's own probes of the health path, while a release bakes."`
}

// LoadBalancer names what AWS's metrics of a load balancer have as dimensions.
type LoadBalancer struct {
	Name        string `yaml:"name" jsonschema:"required" jsonschema_description:"The end of the load balancer's ARN: app/NAME/ID."`
	TargetGroup string `yaml:"target_group" jsonschema:"required" jsonschema_description:"The end of the target group's ARN: targetgroup/NAME/ID."`
}

// ServiceMetrics are what the service publishes.
type ServiceMetrics struct {
	Namespace  string            `yaml:"namespace" jsonschema:"required" jsonschema_description:"Namespace of the metrics."`
	Latency    string            `yaml:"latency" jsonschema_description:"Metric of the latency of each request, for p95."`
	Unit       string            `yaml:"unit" jsonschema:"enum=milliseconds,enum=seconds" jsonschema_description:"Unit of the latency: milliseconds (default) or seconds."`
	Requests   string            `yaml:"requests" jsonschema_description:"Metric that counts requests, for error_rate."`
	Errors     string            `yaml:"errors" jsonschema_description:"Metric that counts failed requests, for error_rate."`
	Dimensions map[string]string `yaml:"dimensions" jsonschema_description:"Dimensions of the metrics, all of them: with one more or one less it is another metric. Default: Service and Environment, as slipway.yaml names them."`
	Period     delivery.Duration `yaml:"period" jsonschema_description:"10s, 20s or 30s for high-resolution metrics, otherwise minutes. Default 1m."`
}

const (
	maxAlarms     = 10 // of an environment: each is asked for every ten seconds
	defaultWithin = delivery.Duration(5 * time.Minute)

	loadBalancerPattern = `^app/[A-Za-z0-9-]{1,32}/[0-9a-f]{1,64}$`
	targetGroupPattern  = `^targetgroup/[A-Za-z0-9-]{1,32}/[0-9a-f]{1,64}$`
)

// Measured reports whether Slipway makes the alarm, on a metric.
func (a Alarm) Measured() bool { return a.Name == "" }

// Key is the key that the alarm has.
func (a Alarm) Key() string {
	switch {
	case a.P95 != 0:
		return "p95"
	case a.Name != "":
		return "name"
	}
	return "error_rate"
}

// AlarmsWithin is how long the environment's alarms may have no data.
func (e Environment) AlarmsWithin() delivery.Duration {
	if e.Within != nil {
		return *e.Within
	}
	return defaultWithin
}

// NamedAlarms are the alarms of others that the environment's releases must not raise.
func (e Environment) NamedAlarms() (names []string) {
	for _, a := range e.Alarms {
		if !a.Measured() {
			names = append(names, a.Name)
		}
	}
	return names
}

// ProbeDimensions are those of the metrics that Slipway publishes.
func ProbeDimensions(service string, env delivery.Environment) map[string]string {
	return map[string]string{"Service": service, "Environment": string(env)}
}

// ProbeNamespace is where Slipway's metrics are published.
func (a AWS) ProbeNamespace() string { return cmp.Or(a.Metrics, "Slipway") }

func (d *decoder) validateAlarms(at string, p *Project, name delivery.Environment) {
	e := p.Environments[name]
	if len(e.Alarms) == 0 {
		d.rejectKeys(at, []string{"alarms_from", "alarms_within"}, "not used without alarms")
		return
	}
	if !e.Deploys() {
		return // validateUntil refuses them
	}
	if len(e.Alarms) > maxAlarms {
		d.addError(at+".alarms", "make one composite alarm of some", "%s.alarms: %d alarms, at most %d", at, len(e.Alarms), maxAlarms)
	}
	if e.Bake <= 0 {
		d.addError(at+".alarms", "add bake: 10m", "%s.alarms: nothing asks them, because no release bakes here", at)
	}
	if p.AWSOf(name).Region == "" {
		d.addError(at+".alarms", "add aws: {region: ...}", "%s.alarms: the region of AWS is not set", at)
	}
	seen := map[string]bool{}
	for i, a := range e.Alarms {
		here := fmt.Sprintf("%s.alarms[%d]", at, i)
		id := a.Key() + " " + a.Name
		switch keys := d.countKeys(here, "p95", "error_rate", "name"); {
		case keys != 1:
			d.addError(here, "such as {p95: 200ms}, {error_rate: 0.01} or {name: existing-alarm}", "%s: set exactly one of p95, error_rate or name", here)
			continue
		case seen[id]:
			d.addError(here, "remove one of them", "%s: there is another alarm like this", here)
		case d.isSet(here+".p95") && a.P95 <= 0:
			d.addError(here+".p95", "such as 200ms", "%s.p95: must be more than 0", here)
		}
		seen[id] = true
	}
	d.validateAlarmSource(at, e)
}

func (d *decoder) countKeys(at string, keys ...string) (n int) {
	for _, key := range keys {
		if d.isSet(at + "." + key) {
			n++
		}
	}
	return n
}

// validateAlarmSource requires a publisher of what every alarm is on.
func (d *decoder) validateAlarmSource(at string, e Environment) {
	here := at + ".alarms_from"
	first := slices.IndexFunc(e.Alarms, Alarm.Measured)
	switch keys := d.countKeys(here, "load_balancer", "service", "synthetic"); {
	case first < 0:
		d.rejectKeys(at, []string{"alarms_from"}, "not used, because all alarms are of others")
		return
	case !d.isSet(here):
		key := fmt.Sprintf("%s.alarms[%d].%s", at, first, e.Alarms[first].Key())
		d.addError(key, "say who does: alarms_from: {load_balancer: {name: ..., target_group: ...}}, {service: {namespace: ...}} or {synthetic: true}", "%s: nothing publishes this", key)
		return
	case keys != 1 || d.isSet(here+".synthetic") && !e.AlarmsFrom.Synthetic:
		d.addError(here, "such as {synthetic: true}", "%s: set exactly one of load_balancer, service or synthetic", here)
		return
	}
	if b := e.AlarmsFrom.LoadBalancer; b != nil {
		d.matchPattern(here+".load_balancer.name", b.Name, loadBalancerPattern, "the end of its ARN, such as app/retail/50dc6c495c0c9188")
		d.matchPattern(here+".load_balancer.target_group", b.TargetGroup, targetGroupPattern, "the end of its ARN, such as targetgroup/retail/943f017f100becff")
	}
	if m := e.AlarmsFrom.Service; m != nil {
		d.validateServiceMetrics(at, *m, e.Alarms)
	}
}

func (d *decoder) validateServiceMetrics(at string, m ServiceMetrics, alarms []Alarm) {
	here := at + ".alarms_from.service"
	d.matchPattern(here+".namespace", m.Namespace, `^[^:\s][^\s]{0,254}$`, "such as Retail")
	if s := m.Period.D().Seconds(); m.Period != 0 && s != 10 && s != 20 && s != 30 && (m.Period.D() < time.Minute || m.Period.D()%time.Minute != 0 || m.Period.D() > time.Hour) {
		d.addError(here+".period", "10s, 20s, 30s, or minutes up to 1h", "%s.period: CloudWatch has no period of %s", here, m.Period)
	}
	if len(m.Dimensions) > 30 {
		d.addError(here+".dimensions", "CloudWatch takes no more", "%s.dimensions: %d, at most 30", here, len(m.Dimensions))
	}
	for i, a := range alarms {
		key := fmt.Sprintf("%s.alarms[%d].%s", at, i, a.Key())
		switch {
		case a.Key() == "p95" && m.Latency == "":
			d.addError(key, "name the metric: alarms_from.service.latency", "%s: nothing publishes this", key)
		case a.Key() == "error_rate" && (m.Requests == "" || m.Errors == ""):
			d.addError(key, "name the metrics: alarms_from.service.requests and errors", "%s: nothing publishes this", key)
		}
	}
}
