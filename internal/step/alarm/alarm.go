// Package alarm asks the alarms of an environment: before a deployment begins, while it
// is rolled out, and while the release bakes. Alarms are asked for their states; what
// they do when they are raised plays no part.
package alarm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/bake"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Interval is the time between two looks: no alarm is evaluated more often.
const Interval = 10 * time.Second

// Gate names what was checked, where no single alarm is meant.
const Gate = "alarms"

// Guard asks the alarms of one step. A nil Guard has none.
type Guard struct {
	alarms  port.Alarms
	params  step.AlarmParams
	request step.Request
	clock   step.Clock

	last   Outcome // of Observe
	lastAt time.Time
}

// New returns the guard of a step; nil: the environment has no alarms.
func New(monitors step.Monitors, params *step.AlarmParams, r step.Request, clock step.Clock) (*Guard, error) {
	if params == nil {
		return nil, nil //nolint:nilnil // a guard without alarms
	}
	if monitors == nil {
		return nil, fault.New(fault.Internal, "step %s: the plan has alarms, and nothing asks them", r.Spec.Name)
	}
	alarms, _, err := monitors(params.At)
	if err != nil {
		return nil, err
	}
	return &Guard{alarms: alarms, params: *params, request: r, clock: clock}, nil
}

// Outcome is what the alarms said.
type Outcome struct {
	Results []delivery.GateResult
	Raised  string   // why the release must not stay; empty: no alarm is raised
	Missing string   // alarms that do not exist; no verdict on the release
	NoData  []string // alarms without data: neither good nor bad
}

// Progress is one line for people.
func (o Outcome) Progress() string {
	if len(o.NoData) > 0 {
		return fmt.Sprintf("%d of %d alarms have no data yet", len(o.NoData), len(o.Results))
	}
	return fmt.Sprintf("%d alarms ok", len(o.Results))
}

// MissingHint is what to do about a missing alarm.
const MissingHint = "it was deleted, or never made: make it, or remove it from the environment's alarms"

// ask asks once. An alarm that could not be asked is an error, never a pass.
func (g *Guard) ask(ctx context.Context) (Outcome, error) {
	states, err := g.alarms.States(ctx, g.params.Names())
	if err != nil {
		return Outcome{}, fault.AsInfrastructure(err)
	}
	var o Outcome
	var raised, missing []string
	for _, s := range states {
		r := delivery.GateResult{Gate: "alarm: " + s.Name, Verdict: delivery.Unavailable, Evidence: evidence(s)}
		switch s.State {
		case port.AlarmOK:
			r.Verdict = delivery.Passed
		case port.AlarmRaised:
			r.Verdict = delivery.Failed
			raised = append(raised, r.Evidence)
		case port.AlarmMissing:
			missing = append(missing, r.Evidence)
		default:
			o.NoData = append(o.NoData, s.Name)
		}
		o.Results = append(o.Results, r)
	}
	o.Raised, o.Missing = strings.Join(raised, "; "), strings.Join(missing, "; ")
	return o, nil
}

// evidence is what an alarm said, in words.
func evidence(s port.AlarmStatus) string {
	text := fmt.Sprintf("alarm %s ", s.Name)
	switch s.State {
	case port.AlarmOK:
		text += "is OK"
	case port.AlarmRaised:
		text += "is in ALARM: " + s.Reason
	case port.AlarmMissing:
		return text + "does not exist"
	default:
		text += "has no data (INSUFFICIENT_DATA)"
	}
	if s.Muted != "" {
		text += " (" + s.Muted + ", which hides its actions and not its state)"
	}
	return text
}

// Before makes the environment's own alarms and requires that none of all is raised. It
// waits for their first datapoints where a release runs that leads to any: not before the first
// deployment, and not for probes that begin with the bake. After an error, nothing was
// deployed.
func (g *Guard) Before(ctx context.Context, running bool) error {
	if g == nil {
		return nil
	}
	owner := port.AlarmOwner{Service: g.request.Service, Environment: g.request.Environment}
	changed, err := g.alarms.Ensure(ctx, owner, g.params.Own)
	if err != nil {
		return fault.Prefix(fmt.Sprintf("make the alarms of %s", owner.Environment), fault.AsInfrastructure(err))
	}
	if len(changed) > 0 {
		g.request.Logf("alarms made, changed or removed: %s", strings.Join(changed, ", "))
	}
	end := g.clock.Now().Add(g.params.Within.D())
	for failures := 0; ; {
		o, err := g.ask(ctx)
		left := end.Sub(g.clock.Now())
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			if failures++; failures >= bake.MaxFailures {
				return fault.Prefix("ask the alarms before the deployment", err)
			}
		case o.Raised != "":
			return fault.New(fault.Failed, "before the deployment, %s", o.Raised).Infrastructure().
				Hint("wait until it is OK, or remove it from the environment's alarms; nothing was deployed")
		case o.Missing != "":
			return fault.New(fault.Failed, "before the deployment, %s", o.Missing).Infrastructure().Hint(MissingHint)
		case len(o.NoData) == 0 || !running || g.params.Synthetic != nil:
			return nil
		case left <= 0:
			return g.acceptNoData(o)
		default:
			failures = 0
			g.request.Progress("waiting for the first datapoints, %s left: %s", left.Round(time.Second), o.Progress())
		}
		if err := wait.Sleep(ctx, Interval); err != nil {
			return err
		}
	}
}

// acceptNoData is what it means before a deployment that alarms have no data.
func (g *Guard) acceptNoData(o Outcome) error {
	text := g.NoDataText(o)
	if g.params.NoTraffic == step.FailNoTraffic {
		return fault.New(fault.Failed, "before the deployment, %s", text).Infrastructure().Hint(NoDataHint)
	}
	g.request.Logf("%s", text)
	return nil
}

// NoDataHint is what to do about an alarm without data.
const NoDataHint = "check that its metric is published with exactly these dimensions; deploy.watch.no_traffic: accept takes an alarm without data for good"

// NoDataText is that alarms have no data, and the policy for that, in words.
func (g *Guard) NoDataText(o Outcome) string {
	policy := g.params.NoTraffic
	if policy == "" {
		policy = step.AcceptNoTraffic
	}
	return fmt.Sprintf("alarm %s has no data (INSUFFICIENT_DATA) after %s, and no_traffic is %s", strings.Join(o.NoData, ", "), g.params.Within, policy)
}

// Raised asks once whether an alarm is raised, for those who wait with nothing deployed;
// empty: none is. What does not exist yet will be made before the deployment.
func (g *Guard) Raised(ctx context.Context) (string, error) {
	if g == nil {
		return "", nil
	}
	o, err := g.ask(ctx)
	return o.Raised, err
}

// Observe asks at most once per Interval; in between it returns what it knows. With fresh
// it asks now, unless it waits for data.
func (g *Guard) Observe(ctx context.Context, fresh bool) (Outcome, error) {
	if g == nil {
		return Outcome{}, nil
	}
	now := g.clock.Now()
	if !g.lastAt.IsZero() && now.Sub(g.lastAt) < Interval && (!fresh || len(g.last.NoData) > 0) {
		return g.last, nil
	}
	o, err := g.ask(ctx)
	if err != nil {
		return o, err
	}
	g.last, g.lastAt = o, now
	return o, nil
}

// Within is how long alarms may have no data once the release has the traffic.
func (g *Guard) Within() time.Duration {
	if g == nil {
		return 0
	}
	return g.params.Within.D()
}

// raisedError ends what runs under During.
type raisedError struct{ outcome Outcome }

func (e raisedError) Error() string { return e.outcome.Raised }

// During does work, and ends it once an alarm is raised. If they can't be asked, the
// watch decides, which asks again.
func (g *Guard) During(ctx context.Context, work func(context.Context) error) ([]delivery.GateResult, error) {
	if g == nil {
		return nil, work(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.poll(ctx, cancel)
	}()
	err := work(ctx)
	cancel(nil)
	<-done
	if raised, ok := context.Cause(ctx).(raisedError); ok { //nolint:errorlint // the cause itself
		return raised.outcome.Results, fault.New(fault.Failed, "during the rollout, %s", raised.outcome.Raised)
	}
	return nil, err
}

// poll asks until the context ends or an alarm is raised.
func (g *Guard) poll(ctx context.Context, cancel context.CancelCauseFunc) {
	said := false
	for wait.Sleep(ctx, Interval) == nil {
		o, err := g.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !said:
			said = true
			g.request.Logf("the alarms could not be checked during the rollout; the watch does so again: %v", err)
		case err == nil && o.Raised != "":
			cancel(raisedError{o})
			return
		}
	}
}
