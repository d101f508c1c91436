package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

const (
	perSecond    = 100 // requests per second
	replicas     = 2
	minStreak    = 20 // consecutive responses of one release until it counts as the only one
	warmup       = 500 * time.Millisecond
	pollInterval = 50 * time.Millisecond

	graceAfterWrongVerdict = 5 * time.Second // observation time after a wrong verdict
)

// measurement is one deployment under load. Times are relative to the command's
// start.
type measurement struct {
	commandTime     time.Duration // until the command exited
	rolloutStart    time.Duration // until it started to change the cluster; 0: at once
	lastOldResponse time.Duration // until the last response of any but the expected release
	converged       time.Duration // until then, and until no other release has a pod
	wrongVerdict    bool          // the command reported the wrong result
	reached         bool          // converged before the timeout
	serving         string        // the release of the last successful response
	requests        int
	failed          int
	firstErr        error
}

// measureDeploy deploys a release under load. expected is the release that should be
// the only one in the end: that one, or the previous one. It gives up after timeout.
func measureDeploy(ctx context.Context, c deployer, r release, expected string, timeout time.Duration) (o measurement, err error) {
	p := c.namespace()
	url, err := p.serviceURL(ctx)
	if err != nil {
		return o, err
	}
	w, err := p.watchPods(ctx)
	if err != nil {
		return o, err
	}
	defer w.close()
	users, stop := measure.ConstantRate(perSecond, predictRequest(url, false), predictRequest(url, true))
	defer stop()
	if err := sleep(ctx, warmup); err != nil {
		return o, err
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	t, err := c.deploy(bounded, r)
	if bounded.Err() != nil && ctx.Err() == nil {
		t.finished, err = time.Now(), nil
	}
	if err != nil {
		return o, fmt.Errorf("%s: %s: %w", p.toolName, r.name, err)
	}
	if o.wrongVerdict = t.succeeded != (r.name == expected) && bounded.Err() == nil; o.wrongVerdict && !mayBeWrong(c) {
		return o, fmt.Errorf("%s: %s: wrong result: deployed: %t", p.toolName, r.name, t.succeeded)
	}
	if o.wrongVerdict { // then it may never converge
		bounded, cancel = context.WithTimeout(ctx, graceAfterWrongVerdict)
		defer cancel()
	}
	if err := o.waitConverged(bounded, w, users, t, expected); err != nil {
		return o, err
	}
	if err := sleep(ctx, warmup); err != nil {
		return o, err
	}
	stop()
	return o.withRequests(users, t), ctx.Err()
}

// mayBeWrong reports whether a wrong verdict of the tool is a measurement, rather
// than a bug of Slipway.
func mayBeWrong(c deployer) bool {
	if e, ok := c.(*entrant); ok {
		c = e.deployer
	}
	_, ours := c.(*slipwayDeployer)
	return !ours
}

// predictRequest returns a request whose response is the release that served it.
func predictRequest(url string, keepAlive bool) measure.RequestFunc {
	post := measure.Post(measure.Client(keepAlive, 16), url+"/predict", `{"n": 1}`)
	return func() (string, error) {
		text, err := post()
		if err != nil {
			return "", err
		}
		var said struct {
			Release string `json:"model_version"`
		}
		err = json.Unmarshal([]byte(text), &said)
		return said.Release, err
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// waitConverged waits until the expected release is the only one, or the context is
// done.
func (o *measurement) waitConverged(ctx context.Context, w *podWatch, users *measure.Results, t deployResult, stays string) error {
	o.commandTime = t.finished.Sub(t.started)
	if !t.rolloutStarted.IsZero() {
		o.rolloutStart = t.rolloutStarted.Sub(t.started)
	}
	for {
		since, others, err := w.onlyReleaseSince(stays, replicas, t.started)
		if err != nil {
			return err
		}
		last, enough := lastOtherResponse(users.Samples(), stays)
		if enough && !since.IsZero() && others {
			o.reached = true
			o.lastOldResponse = max(0, last.Sub(t.started))
			o.converged = max(o.lastOldResponse, since.Sub(t.started))
			return nil
		}
		_ = sleep(ctx, pollInterval)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // not converged in time, which is a result
		}
	}
}

// lastOtherResponse returns when the last response of any other release ended; enough
// reports whether plenty have followed since.
func lastOtherResponse(samples []measure.Sample, stays string) (last time.Time, enough bool) {
	row := 0
	for _, s := range samples {
		row++
		if s.Err != nil || s.Response != stays {
			last, row = s.Start.Add(s.Latency), 0
		}
	}
	return last, row >= minStreak
}

func (o measurement) withRequests(users *measure.Results, t deployResult) measurement {
	for _, s := range users.Samples() {
		if s.Start.Before(t.started.Add(-warmup)) {
			continue
		}
		o.requests++
		if s.Err == nil {
			o.serving = s.Response
		}
	}
	o.failed, o.firstErr = users.Failures()
	return o
}
