package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

const (
	perSecond = 100 // users' requests
	replicas  = 2
	inARow    = 20 // answers of one release until it counts as the only one
	lead      = 500 * time.Millisecond
	look      = 50 * time.Millisecond

	afterMistake = 5 * time.Second // how long is looked on when a command's verdict was wrong
)

// outcome is one release brought in under load. Times are from the command's start.
type outcome struct {
	said     time.Duration // until the command ended
	entered  time.Duration // until it began to change the cluster; 0: at once
	answered time.Duration // until the last answer of another release than the one that stays
	alone    time.Duration // until that, and until no other release had a pod
	mistaken bool          // the command's own verdict was wrong
	back     bool          // false: it was not so before the time was up
	serving  string        // the release that gave the last good answer
	requests int
	failed   int
	first    error
}

// round brings a release in while users ask. stays is the release that is to serve
// alone in the end: that one, or the one before it. What is not so after most is
// given up.
func round(ctx context.Context, c contender, r release, stays string, most time.Duration) (o outcome, err error) {
	p := c.place()
	url, err := p.url(ctx)
	if err != nil {
		return o, err
	}
	w, err := p.watch(ctx)
	if err != nil {
		return o, err
	}
	defer w.close()
	users, stop := measure.ConstantRate(perSecond, asking(url, false), asking(url, true))
	defer stop()
	if err := pause(ctx, lead); err != nil {
		return o, err
	}
	bounded, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	t, err := c.deploy(bounded, r)
	if bounded.Err() != nil && ctx.Err() == nil {
		t.ended, err = time.Now(), nil
	}
	if err != nil {
		return o, fmt.Errorf("%s: %s: %w", p.name, r.name, err)
	}
	if o.mistaken = t.good != (r.name == stays) && bounded.Err() == nil; o.mistaken && !forgivable(c) {
		return o, fmt.Errorf("%s: %s: it says that it serves: %t", p.name, r.name, t.good)
	}
	if o.mistaken { // then it need not become so
		bounded, cancel = context.WithTimeout(ctx, afterMistake)
		defer cancel()
	}
	if err := o.wait(bounded, w, users, t, stays); err != nil {
		return o, err
	}
	if err := pause(ctx, lead); err != nil {
		return o, err
	}
	stop()
	return o.count(users, t), ctx.Err()
}

// forgivable tells whose wrong verdicts are a figure, and no bug of ours.
func forgivable(c contender) bool {
	if e, ok := c.(*entrant); ok {
		c = e.contender
	}
	_, ours := c.(*project)
	return !ours
}

// asking is a user whose answers tell which release gave them.
func asking(url string, keepAlive bool) measure.RequestFunc {
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

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// wait waits until the release that stays is alone, or the time is up.
func (o *outcome) wait(ctx context.Context, w *pods, users *measure.Results, t told, stays string) error {
	o.said = t.ended.Sub(t.begun)
	if !t.entered.IsZero() {
		o.entered = t.entered.Sub(t.begun)
	}
	for {
		since, others, err := w.alone(stays, replicas, t.begun)
		if err != nil {
			return err
		}
		last, enough := lastOther(users.Samples(), stays)
		if enough && !since.IsZero() && others {
			o.back = true
			o.answered = max(0, last.Sub(t.begun))
			o.alone = max(o.answered, since.Sub(t.begun))
			return nil
		}
		_ = pause(ctx, look)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it is not back by now, and that is a result
		}
	}
}

// lastOther is when the last answer ended that was not the release's; enough: there
// have been plenty since.
func lastOther(samples []measure.Sample, stays string) (last time.Time, enough bool) {
	row := 0
	for _, s := range samples {
		row++
		if s.Err != nil || s.Response != stays {
			last, row = s.Start.Add(s.Latency), 0
		}
	}
	return last, row >= inARow
}

func (o outcome) count(users *measure.Results, t told) outcome {
	for _, s := range users.Samples() {
		if s.Start.Before(t.begun.Add(-lead)) {
			continue
		}
		o.requests++
		if s.Err == nil {
			o.serving = s.Response
		}
	}
	o.failed, o.first = users.Failures()
	return o
}
