package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Each source publishes other metrics, under other dimensions and in other units.
func TestAlarmParams(t *testing.T) {
	const minute, tenSeconds = delivery.Duration(time.Minute), delivery.Duration(10 * time.Second)
	target := map[string]string{"LoadBalancer": "app/x/1", "TargetGroup": "targetgroup/y/2"}
	common := map[string]string{"Service": "retail", "Environment": "prod"}
	alarm := func(key, namespace, metric, per, statistic string, threshold float64, period delivery.Duration, dimensions map[string]string) port.Alarm {
		return port.Alarm{
			Name: "slipway/retail/prod/" + key, Namespace: namespace, Metric: metric, Per: per, Statistic: statistic, Threshold: threshold,
			Period: period, Periods: 3, Breaching: 2, Dimensions: dimensions,
		}
	}
	for name, tt := range map[string]struct {
		from config.AlarmSource
		want []port.Alarm
	}{
		"load balancer": {config.AlarmSource{LoadBalancer: &config.LoadBalancer{Name: "app/x/1", TargetGroup: "targetgroup/y/2"}}, []port.Alarm{
			alarm("p95", "AWS/ApplicationELB", "TargetResponseTime", "", "p95", 0.2, minute, target),
			alarm("error_rate", "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "RequestCount", "Sum", 0.01, minute, target),
		}},
		"service": {config.AlarmSource{Service: &config.ServiceMetrics{Namespace: "Retail", Latency: "l", Requests: "r", Errors: "e", Period: tenSeconds, Dimensions: map[string]string{"Stage": "p"}}}, []port.Alarm{
			alarm("p95", "Retail", "l", "", "p95", 200, tenSeconds, map[string]string{"Stage": "p"}),
			alarm("error_rate", "Retail", "e", "r", "Sum", 0.01, tenSeconds, map[string]string{"Stage": "p"}),
		}},
		"service in seconds": {config.AlarmSource{Service: &config.ServiceMetrics{Namespace: "Retail", Latency: "l", Unit: "seconds", Requests: "r", Errors: "e"}}, []port.Alarm{
			alarm("p95", "Retail", "l", "", "p95", 0.2, minute, common), alarm("error_rate", "Retail", "e", "r", "Sum", 0.01, minute, common),
		}},
		"probes": {config.AlarmSource{Synthetic: true}, []port.Alarm{
			alarm("p95", "Releases", "ProbeLatency", "", "p95", 200, tenSeconds, common),
			alarm("error_rate", "Releases", "ProbeErrors", "ProbeRequests", "Sum", 0.01, tenSeconds, common),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			env := config.Environment{
				Alarms:     []config.Alarm{{P95: delivery.Duration(200 * time.Millisecond)}, {ErrorRate: 0.01}, {Name: "theirs"}},
				AlarmsFrom: tt.from, AWS: config.EnvironmentAWS{Role: "arn:aws:iam::111122223333:role/deploy"},
			}
			pl := planner{plan: Plan{Environment: "prod"}, env: env, project: config.Project{
				Service: "retail", AWS: config.AWS{Region: "eu-west-1", Metrics: "Releases"}, Environments: map[delivery.Environment]config.Environment{"prod": env},
			}}
			p := pl.alarmParams()
			if diff := cmp.Diff(tt.want, p.Own); diff != "" {
				t.Errorf("alarms (-want +got):\n%s", diff)
			}
			var at extension.Monitoring
			if err := p.At.Decode(&at); err != nil || at != (extension.Monitoring{AWS: extension.AWS{Region: "eu-west-1", Role: env.AWS.Role}, Namespace: "Releases"}) {
				t.Errorf("%+v, %v", at, err)
			}
			if len(p.Named) != 1 || p.Within != delivery.Duration(5*time.Minute) || p.NoTraffic != step.AcceptNoTraffic || (p.Synthetic != nil) != tt.from.Synthetic {
				t.Errorf("%+v", p)
			}
			if got := alarmReason(p); got != "; asks 3 alarms, and nothing watches afterwards" {
				t.Errorf("%q", got)
			}
		})
	}
}
