package watch

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/alarm"
)

// askAlarms adds what the environment's alarms say. One that is raised ends the watch.
// One that does not exist any more ends it, too, and is no verdict on the release. One
// without data is waited for, at the most until alarms_within is over; then it is as if
// there were no traffic.
func (w *watch) askAlarms(ctx context.Context, o observation, final bool) (observation, error) {
	if w.alarms == nil {
		return o, nil
	}
	said, err := w.alarms.Observe(ctx, final)
	if err != nil {
		return observation{gate: alarm.Gate}, err
	}
	o.results = append(o.results, said.Results...)
	o.progress += "; " + said.Progress()
	switch {
	case said.Raised != "":
		o.failure = said.Raised
	case said.Missing != "":
		o.failure, o.blameless, o.hint = said.Missing, true, alarm.MissingHint
	case len(said.NoData) > 0 && w.Clock.Now().Sub(w.deployed.Since) < w.alarms.Within():
		o.extend = true
	case len(said.NoData) > 0:
		o.noData(w.alarms.NoDataText(said), w.params.Alarms.NoTraffic)
	}
	return o, nil
}

// noData adds the verdict on alarms without data, in words.
func (o *observation) noData(text string, policy step.NoTrafficPolicy) {
	o.results = append(o.results, delivery.GateResult{Gate: alarm.Gate, Verdict: delivery.Unavailable, Evidence: text})
	if policy == step.FailNoTraffic {
		o.noTraffic = text
		o.hint = alarm.NoDataHint
	}
}
