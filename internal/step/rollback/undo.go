package rollback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/probe"
)

// How often the restoration is tried, how long between, how long it is tried on
// while the place itself can't be reached, and how much time there is for the
// last words when it did not work.
const (
	tries     = 3
	firstWait = time.Second
	lastWait  = 30 * time.Second
	awayTime  = 10 * time.Minute
	lastWords = 15 * time.Second
)

// undo takes back a deployment of this run.
type undo struct {
	base
	bad  delivery.Deployment // what this run brought in, not accepted
	prev delivery.Deployment // what serves by the records
	has  bool                // there is a prev
}

func (u undo) run(ctx context.Context) (step.Result, error) {
	// First of all, so that nothing brings it back, whatever happens next.
	if !u.r.Cancelled && !u.r.InfrastructureFailure && !u.same() {
		if err := u.quarantine(ctx, u.bad.Release, u.reason()); err != nil {
			return step.Result{}, err
		}
	}
	u.r.EmitDeployment(u.bad.Release, "%s is taken back from %s: %s", u.bad.Release, u.r.Environment, u.reason())
	url, failures := u.restore(ctx)
	if failures != nil && ctx.Err() != nil && !outOfTime(ctx) {
		return step.Result{}, context.Cause(ctx) // stopped, not failed: the next call goes on
	}
	if failures != nil {
		return u.stuck(ctx, failures)
	}
	state := delivery.RolledBack
	if u.r.Cancelled {
		state = delivery.Cancelled
	}
	if err := u.Deployments.End(ctx, u.bad.ID, state, u.reason(), u.Clock.Now()); err != nil {
		return step.Result{}, fmt.Errorf("record that %s left %s: %w", u.bad.Release, u.r.Environment, err)
	}
	if err := u.settle(ctx); err != nil {
		return step.Result{}, err
	}
	return u.done(url)
}

// settle tells the target how it ended, and lets the next run in: in this order,
// or another one could get in between.
func (u undo) settle(ctx context.Context) error {
	if !u.has {
		return nil // everything was removed, and the lock with it
	}
	if err := u.tell(ctx, u.r.Service); err != nil {
		return err
	}
	rel, err := u.recorded(ctx, u.prev.Release)
	if err != nil {
		return err
	}
	return probe.Finalize(ctx, u.r, u.target, probe.RequestFor(u.r, u.w, rel))
}

// same tells that the release that serves was to be brought in once more: there
// is nothing else to go back to, and nothing to quarantine.
func (u undo) same() bool { return u.has && u.prev.Release == u.bad.Release }

func (u undo) reason() string {
	switch {
	case u.r.Cause != "":
		return u.r.Cause
	case u.r.Cancelled:
		return "the run was cancelled"
	}
	return "the run did not go on"
}

func outOfTime(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.DeadlineExceeded)
}

func (u undo) done(url string) (step.Result, error) {
	if !u.has {
		u.r.EmitDeployment("", "nothing serves in %s any more: no release served before %s", u.r.Environment, u.bad.Release)
		return step.Succeed(fmt.Sprintf("%s removed from %s; nothing served there before it", u.bad.Release, u.r.Environment), step.DeployOutput{})
	}
	u.r.EmitDeployment(u.prev.Release, "%s serves in %s again", u.prev.Release, u.r.Environment)
	return step.Succeed(fmt.Sprintf("%s serves in %s again, instead of %s", u.prev.Release, u.r.Environment, u.bad.Release), step.DeployOutput{
		Release: u.prev.Release, Deployment: u.prev.ID, URL: url, Since: u.prev.ServingAt,
	})
}

// restore tries until the target serves what the records say, or returns what
// went wrong each time. Production is half changed until then: a place that does
// not answer is asked for much longer than one that says no.
func (u undo) restore(ctx context.Context) (url string, failures []error) {
	end := u.Clock.Now().Add(awayTime)
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		url, err := u.once(ctx)
		if err == nil {
			return url, nil
		}
		failures = append(failures, err)
		u.r.Logf("try %d: %v", len(failures), err)
		away := fault.IsInfrastructure(err) && u.Clock.Now().Before(end)
		if len(failures) >= tries && !away {
			return "", failures
		}
		if away {
			u.r.Progress("%s can't be reached; asking again until %s", u.r.Environment, end.UTC().Format(time.TimeOnly))
		}
		if u.Clock.Wait(ctx, wait) != nil {
			return "", failures
		}
	}
}

func (u undo) once(ctx context.Context) (url string, err error) {
	if !u.has {
		return "", u.empty(ctx)
	}
	rel, err := u.recorded(ctx, u.prev.Release)
	if err != nil {
		return "", err
	}
	// The smoke checks are those of the release that failed, and need not fit
	// the one before it: its health decides, their answers are told.
	want, err := probe.ExpectationFor(u.w, rel)
	if err != nil {
		u.r.Logf("%v", err)
		want, _ = probe.ExpectationFor(step.DeployParams{SuccessThreshold: u.w.SuccessThreshold, Timeout: u.w.Timeout}, rel)
	}
	smoke := want.Smoke
	want.Smoke = nil
	order := probe.RequestFor(u.r, u.w, rel)
	obs, err := u.bringBack(ctx, order, want)
	if err != nil {
		return "", err
	}
	want.FailureCheck = probe.FailureCheck(u.target, order)
	if _, err := u.probe().Check(ctx, u.r, obs.Address(), want); err != nil {
		return "", err
	}
	want.Smoke = smoke
	if _, err := u.probe().CheckSmoke(ctx, u.r, obs.Address(), want); err != nil {
		u.r.Logf("%v (told only: the check was made for %s)", err, u.bad.Release)
	}
	return obs.URL, nil
}

// bringBack makes the target serve the recorded release, and nothing of the bad
// one run.
func (u undo) bringBack(ctx context.Context, o port.DeployRequest, want probe.Expectation) (port.Observation, error) {
	obs, err := u.observe(ctx, o.Service)
	if err != nil {
		return obs, err
	}
	if obs.Release != u.bad.Release {
		if err := u.discard(ctx, o); err != nil {
			return obs, err
		}
	}
	if obs.Release == o.ID && probe.DownReason(obs, o.ID) == "" {
		return obs, nil
	}
	u.r.Progress("bringing back %s", o.ID)
	if obs, _, err = u.probe().Start(ctx, u.r, u.target, o, want, nil); err != nil {
		return obs, err
	}
	return obs, u.discard(ctx, o)
}

// discard stops what is staged of the bad release.
func (u undo) discard(ctx context.Context, o port.DeployRequest) error {
	if u.same() {
		return nil
	}
	bad := port.DeployRequest{Service: o.Service, Environment: o.Environment, ID: u.bad.Release, Port: o.Port, Run: u.r.Run}
	if rel, err := u.recorded(ctx, u.bad.Release); err == nil {
		bad.Release = rel.Release
	}
	if err := u.target.Discard(ctx, bad); err != nil {
		return fmt.Errorf("stop %s: %w", u.bad.Release, err)
	}
	return nil
}

// empty leaves the environment as it was: with nothing in it.
func (u undo) empty(ctx context.Context) error {
	service := u.r.Service
	if err := u.target.Remove(ctx, service, u.r.Environment); err != nil {
		return fmt.Errorf("remove %s from %s: %w", service, u.r.Environment, err)
	}
	obs, err := u.observe(ctx, service)
	if err != nil {
		return err
	}
	if obs.Release != "" {
		return fault.New(fault.Failed, "%s still serves after it was removed", obs.Release)
	}
	return nil
}

// stuck records that a person has to look, and says what that person needs.
func (u undo) stuck(ctx context.Context, failures []error) (step.Result, error) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	goal := "an empty " + string(u.r.Environment)
	if u.has {
		goal = string(u.prev.Release)
	}
	cause := fmt.Sprintf("rollback of %s to %s in %s did not work: %s; %s", u.bad.Release, goal, u.r.Environment,
		tried(failures), u.now(last))
	if err := u.Deployments.End(last, u.bad.ID, delivery.Stuck, cause, u.Clock.Now()); err != nil {
		return step.Result{}, fmt.Errorf("record that %s is stuck (%s): %w", u.bad.Release, cause, err)
	}
	u.r.EmitDeployment(u.bad.Release, "%s", cause)
	res := step.Fail("%s", cause)
	res.Hint = fmt.Sprintf("look at `slipway status --env %s` and `slipway logs`, mend the target, then `slipway rollback --env %s`",
		u.r.Environment, u.r.Environment)
	return res, nil
}

// tried tells the tries in order; those that ended alike are told together.
func tried(failures []error) string {
	var said []string
	for i := 0; i < len(failures); {
		text, last := failures[i].Error(), i
		for last+1 < len(failures) && failures[last+1].Error() == text {
			last++
		}
		which := fmt.Sprintf("try %d", i+1)
		if last > i {
			which = fmt.Sprintf("tries %d to %d", i+1, last+1)
		}
		said = append(said, which+": "+text)
		i = last + 1
	}
	return strings.Join(said, "; ")
}

// now says what serves, as far as the target tells.
func (u undo) now(ctx context.Context) string {
	obs, err := u.target.Observe(ctx, u.r.Service, u.r.Environment)
	if err != nil {
		return "what serves now is unknown: " + err.Error()
	}
	ready, of := 0, 0
	for _, rep := range obs.Replicas {
		if rep.Release == obs.Release {
			of++
			if rep.State == "ready" {
				ready++
			}
		}
	}
	if obs.Release == "" {
		return "now nothing has the traffic"
	}
	return fmt.Sprintf("now %s has the traffic at %s, %d of %d replicas ready", obs.Release, obs.URL, ready, of)
}
