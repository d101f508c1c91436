package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

const (
	perSecond    = 100 // users' requests
	replicas     = 2
	minStreak    = 20 // answers of one release until it counts as the only one
	warmup       = 500 * time.Millisecond
	pollInterval = 50 * time.Millisecond

	graceAfterWrongVerdict = 5 * time.Second // how long is looked on when a command's verdict was wrong
)

// measurement is one release brought in under load. Times are from the command's start.
type measurement struct {
	commandTime     time.Duration // until the command ended
	rolloutStart    time.Duration // until it began to change the cluster; 0: at once
	lastOldResponse time.Duration // until the last answer of another release than the one that stays
	converged       time.Duration // until that, and until no other release had a pod
	wrongVerdict    bool          // the command's own verdict was wrong
	reached         bool          // false: it was not so before the time was up
	serving         string        // the release that gave the last good answer
	requests        int
	failed          int
	firstErr        error
}

// measureDeploy brings a release in while users ask. stays is the release that is to serve
// alone in the end: that one, or the one before it. What is not so after most is
// given up.
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
		return o, fmt.Errorf("%s: %s: it says that it serves: %t", p.toolName, r.name, t.succeeded)
	}
	if o.wrongVerdict { // then it need not become so
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

// mayBeWrong tells whose wrong verdicts are a figure, and no bug of ours.
func mayBeWrong(c deployer) bool {
	if e, ok := c.(*entrant); ok {
		c = e.deployer
	}
	_, ours := c.(*slipwayDeployer)
	return !ours
}

// predictRequest is a user whose answers tell which release gave them.
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

// waitConverged waits until the release that stays is alone, or the time is up.
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
			return nil //nolint:nilerr // it is not back by now, and that is a result
		}
	}
}

// lastOtherResponse is when the last answer ended that was not the release's; enough: there
// have been plenty since.
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
