package rollback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/probe"
	"github.com/slipway-cd/slipway/internal/step/rollout"
	"github.com/slipway-cd/slipway/internal/wait"
)

// How often restoring is attempted, with what waits, for how long it is retried
// while the target itself is unreachable, and how much time is left to report a
// failure.
const (
	maxAttempts   = 3
	minRetryWait  = time.Second
	maxRetryWait  = 30 * time.Second
	outageTimeout = 10 * time.Minute
	reportTimeout = 15 * time.Second
)

// undo takes back a deployment of this run.
type undo struct {
	base
	failed     delivery.Deployment // what this run deployed, and was not accepted
	current    delivery.Deployment // what is deployed according to the records
	hasCurrent bool
	keeps      delivery.ReleaseID // has the traffic and keeps it, although it is not current; empty: none
}

func (u undo) run(ctx context.Context) (step.Result, error) {
	if res, done, err := u.settle(ctx); done || err != nil {
		return res, err
	}
	// First of all, so that nothing deploys it again, whatever happens next.
	if !u.Request.Cancelled && !u.Request.InfrastructureFailure && !u.sameInstance() {
		if err := u.quarantine(ctx, u.failed, u.current.Release, u.reason()); err != nil {
			return step.Result{}, err
		}
		u.rejectModel(ctx)
	}
	doing := "rolling back"
	if u.sameInstance() {
		doing = "restoring"
	}
	u.Request.EmitDeployment(u.failed.Release, "%s %s in %s", doing, u.failed.Release, u.Request.Environment)
	url, failures := u.retry(ctx, u.attempt)
	if failures != nil && ctx.Err() != nil && !timedOut(ctx) {
		return step.Result{}, context.Cause(ctx) // stopped, not failed: the next call goes on
	}
	if failures != nil {
		return u.fail(ctx, failures)
	}
	if u.sameInstance() {
		return u.endAgain(ctx, u.finalize)
	}
	state := delivery.RolledBack
	if u.Request.Cancelled {
		state = delivery.Cancelled
	}
	if err := u.Deployments.End(ctx, u.failed.ID, state, u.reason(), u.Clock.Now()); err != nil {
		return step.Result{}, fmt.Errorf("record the rollback of %s in %s: %w", u.failed.Release, u.Request.Environment, err)
	}
	u.showStages(ctx)
	if err := u.finalize(ctx); err != nil {
		return step.Result{}, err
	}
	return u.done(url)
}

// settle ends the undo where nothing is to be taken back.
func (u *undo) settle(ctx context.Context) (res step.Result, done bool, err error) {
	switch {
	case u.sameInstance():
		return u.keepServing(ctx)
	case u.params.OnFailure == step.HoldOnFailure:
		return u.hold(ctx)
	}
	return res, false, nil
}

// finalize publishes how it ended, and lets the next run in: in this order, or
// another one could get in between.
func (u undo) finalize(ctx context.Context) error { return u.publish(ctx, u.Finalize) }

// unlock is finalize where the target is left as it is: finalizing would try once more
// what has just failed.
func (u undo) unlock(ctx context.Context) error { return u.publish(ctx, u.Unlock) }

func (u undo) publish(ctx context.Context, end func(context.Context, port.DeployRequest) error) error {
	if !u.hasCurrent {
		return nil // everything was removed, and the lock with it
	}
	if err := u.Publish(ctx, u.Request.Service); err != nil {
		return err
	}
	rel, err := u.Recorded(ctx, u.current.Release)
	if err != nil {
		return err
	}
	return end(ctx, u.requestFor(rel, u.current.Config))
}

func (u undo) reason() string {
	switch {
	case u.Request.Cause != "":
		return u.Request.Cause
	case u.Request.Cancelled:
		return "the run was cancelled"
	}
	return "the run did not continue"
}

func timedOut(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.DeadlineExceeded)
}

func (u undo) done(url string) (step.Result, error) {
	env := u.Request.Environment
	if !u.hasCurrent {
		u.Request.EmitDeployment("", "nothing is deployed in %s any more: no release was deployed before %s", env, u.failed.Release)
		return step.Succeed(fmt.Sprintf("%s removed from %s; nothing was deployed there before it", u.failed.Release, env), step.DeployOutput{})
	}
	summary := fmt.Sprintf("%s is deployed in %s again", u.current.Release, env)
	if u.keeps != "" {
		summary = fmt.Sprintf("%s is held in %s as before", u.keeps, env)
	}
	u.Request.EmitDeployment(u.current.Release, "%s", summary)
	return step.Succeed(summary+", replacing "+string(u.failed.Release), step.DeployOutput{
		Release: u.current.Release, Deployment: u.current.ID, URL: url, Since: u.current.ServingAt,
	})
}

// retry tries until the target matches the records, or returns what went
// wrong each time. Production is partially updated until then: an unreachable
// target is retried for much longer than one that refuses.
func (u undo) retry(ctx context.Context, attempt func(context.Context) (url string, err error)) (url string, failures []error) {
	end := u.Clock.Now().Add(outageTimeout)
	for pause := minRetryWait; ; pause = min(2*pause, maxRetryWait) {
		url, err := attempt(ctx)
		if err == nil {
			return url, nil
		}
		failures = append(failures, err)
		u.Request.Logf("attempt %d: %v", len(failures), err)
		unreachable := isUnreachable(err) && u.Clock.Now().Before(end)
		if len(failures) >= maxAttempts && !unreachable {
			return "", failures
		}
		if unreachable {
			u.Request.Progress("%s is unreachable; retrying until %s", u.Request.Environment, end.UTC().Format(time.TimeOnly))
		}
		if wait.Sleep(ctx, pause) != nil {
			return "", failures
		}
	}
}

// isUnreachable reports whether the target did not respond, or refused the
// credentials. Other failures of the infrastructure, such as a full disk, do not
// go away by waiting.
func isUnreachable(err error) bool {
	return fault.IsInfrastructure(err) && (fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Denied))
}

func (u undo) attempt(ctx context.Context) (url string, err error) {
	if !u.hasCurrent {
		return "", u.removeAll(ctx)
	}
	rel, err := u.Recorded(ctx, u.current.Release)
	if err != nil {
		return "", err
	}
	// The smoke checks were written for the release that failed, and need not fit
	// the one before it: its health decides, their results are only reported.
	request := u.requestFor(rel, u.current.Config)
	want, err := u.Expect(u.params.ProbeParams, request)
	if err != nil {
		u.Request.Logf("%v", err)
		want, _ = u.Expect(step.ProbeParams{SuccessThreshold: u.params.SuccessThreshold}, request)
	}
	if u.keeps != "" { // it is not asked for: it has failed before
		obs, err := u.bringBack(ctx, request, want)
		return obs.URL, err
	}
	smoke := want.Smoke
	want.Smoke = nil
	obs, err := u.bringBack(ctx, request, want)
	if err != nil {
		return "", err
	}
	want.FailureCheck = u.FailureCheck(request)
	if _, err := u.Checker().Check(ctx, u.Request, obs.Address(), want); err != nil {
		return "", err
	}
	want.Smoke = smoke
	if _, err := u.Checker().CheckSmoke(ctx, u.Request, obs.Address(), want); err != nil {
		u.Request.Logf("%v (ignored: the check was written for %s)", err, u.failed.Release)
	}
	return obs.URL, nil
}

// bringBack makes the target run the recorded release, and nothing of the failed
// one.
func (u undo) bringBack(ctx context.Context, o port.DeployRequest, want probe.Expectation) (port.Observation, error) {
	obs, err := u.Observe(ctx, o.Service)
	if err != nil {
		return obs, err
	}
	if obs.Release != u.failed.Instance() {
		if err := u.discard(ctx, o); err != nil {
			return obs, err
		}
	}
	if obs.Release == o.ID && rollout.DownReason(obs, o.ID) == "" || u.keeps != "" && obs.Release == u.keeps {
		return obs, nil
	}
	u.Request.Progress("restoring %s", o.ID)
	if obs, _, err = u.Start(ctx, o, want, nil); err != nil {
		return obs, err
	}
	return obs, u.discard(ctx, o)
}

// discard stops what is staged of the failed release.
func (u undo) discard(ctx context.Context, o port.DeployRequest) error {
	if u.sameInstance() {
		return nil
	}
	failed := port.DeployRequest{Service: o.Service, Environment: o.Environment, ID: u.failed.Instance(), Port: o.Port, Run: u.Request.Run}
	if rel, err := u.Recorded(ctx, u.failed.Release); err == nil {
		failed.Release = rel.Release.WithConfiguration(u.failed.Config)
	}
	failed.Current = &port.CurrentRelease{ID: o.ID, Release: o.Release}
	if err := u.Target.Discard(ctx, failed); err != nil {
		return fmt.Errorf("stop %s: %w", u.failed.Release, err)
	}
	return nil
}

// removeAll leaves the environment empty, as it was.
func (u undo) removeAll(ctx context.Context) error {
	service := u.Request.Service
	if err := u.Target.Remove(ctx, service, u.Request.Environment); err != nil {
		return fmt.Errorf("remove %s from %s: %w", service, u.Request.Environment, err)
	}
	obs, err := u.Observe(ctx, service)
	if err != nil {
		return err
	}
	if obs.Release != "" {
		return fault.New(fault.Failed, "%s still receives traffic after it was removed", obs.Release)
	}
	return nil
}
