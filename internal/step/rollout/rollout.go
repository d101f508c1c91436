package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step/probe"
)

// CanaryFunc gives a staged release a part of the traffic and analyzes how it
// does.
type CanaryFunc func(ctx context.Context) ([]delivery.GateResult, error)

// Acquire locks the environment for the run, on targets that others deploy to as
// well, makes sure that these are its records and current, and does a dry run where
// the target can. Nothing has been changed when it fails.
func (s Session) Acquire(ctx context.Context, o port.DeployRequest) error {
	if l, ok := s.Target.(port.Locker); ok {
		if err := l.Lock(ctx, o, s.Request.Report); err != nil {
			return fmt.Errorf("deploy %s to %s: %w", o.ID, o.Environment, err)
		}
	}
	if err := s.records().CheckCurrent(ctx, s.Target, o.Service, o.Environment); err != nil {
		return err
	}
	if d, ok := s.Target.(port.DryRunner); ok {
		if err := d.DryRun(ctx, o, s.Request.Report); err != nil {
			return fmt.Errorf("deploy %s to %s: %w", o.ID, o.Environment, err)
		}
	}
	return nil
}

// Start brings a release in: it is staged beside the running one, checked before
// it receives any user traffic, given a part of the traffic by canary (nil: none),
// and promoted. What has been started when it fails is left to the rollback. An
// error of the target that is no verdict on the release is marked as a failure of
// the infrastructure.
func (s Session) Start(ctx context.Context, o port.DeployRequest, want probe.Expectation, canary CanaryFunc) (port.Observation, []delivery.GateResult, error) {
	url, err := s.Target.Stage(ctx, o, s.Request.Report)
	if err != nil {
		return port.Observation{}, nil, fault.Prefix("start "+string(o.ID), fault.AsInfrastructure(err))
	}
	want.Exclusive, want.FailureCheck = true, s.outageCheck(o)
	report, err := s.Checker().Check(ctx, s.Request, url, want)
	results := report.GateResults
	if err != nil {
		return port.Observation{}, results, s.withLog(ctx, o, GateError(results, err, fmt.Sprintf("before %s received any traffic", o.ID)))
	}
	if canary != nil {
		more, err := canary(ctx)
		results = append(results, more...)
		if err != nil {
			return port.Observation{}, results, err
		}
	}
	s.Request.Progress("shifting the traffic to %s", o.ID)
	obs, err := s.Target.Promote(ctx, o, s.Request.Report)
	if err != nil {
		return obs, results, fmt.Errorf("promote %s: %w", o.ID, fault.AsInfrastructure(err))
	}
	if obs.Release != o.ID {
		return obs, results, fault.New(fault.Failed, "the target reports that %s receives the traffic, not %s", DisplayName(obs.Release), o.ID)
	}
	return obs, results, nil
}

// causeLogLines is how many lines of a log go into a cause.
const causeLogLines = 5

// withLog returns the error of a release that a gate refused, with the last lines that
// its replicas printed, where the target can tell them from those of others.
func (s Session) withLog(ctx context.Context, o port.DeployRequest, err error) error {
	reader, ok := s.Target.(port.LogReader)
	if !ok || fault.IsInfrastructure(err) {
		return err
	}
	lines, readErr := reader.ReplicaLogs(ctx, o.Service, o.Environment, causeLogLines)
	if readErr != nil {
		return err
	}
	var own []string
	for _, line := range lines {
		if head, text, ok := strings.Cut(line, " | "); ok && strings.Contains(head, string(o.ID)+"-") {
			own = append(own, text)
		}
	}
	if len(own) == 0 {
		return err
	}
	own = own[max(0, len(own)-causeLogLines):]
	return fault.New(fault.KindOf(err), "%v%s\n  %s", err, delivery.LogHeading, strings.Join(own, "\n  ")).Hint("%s", fault.HintOf(err))
}

// GateError is the error of a check whose last gate did not pass: which one, when, and
// the evidence, once. Its kind and hint are those of err. A failure of the
// infrastructure is not the gate's, and stays as it is.
func GateError(results []delivery.GateResult, err error, when string) error {
	first := slices.IndexFunc(results, func(r delivery.GateResult) bool { return r.Verdict != delivery.Passed })
	if first < 0 || fault.IsInfrastructure(err) {
		return fmt.Errorf("%s: %w", when, err)
	}
	failed, verb := results[first], "failed"
	if failed.Verdict == delivery.Unavailable {
		verb = "could not be checked"
	}
	return fault.New(fault.KindOf(err), "%s %s %s: %s", failed.Gate, verb, when, failed.Evidence).Hint("%s", fault.HintOf(err))
}

// Finalize lets the target remove what it kept for a rollback, once the release
// has been accepted.
func (s Session) Finalize(ctx context.Context, o port.DeployRequest) error {
	f, ok := s.Target.(port.Finalizer)
	if !ok {
		return nil
	}
	if err := f.Finalize(ctx, o, s.Request.Report); err != nil {
		return fmt.Errorf("finalize %s: %w", o.ID, err)
	}
	return nil
}

// Unlock lets the next run in, and leaves the target as it is.
func (s Session) Unlock(ctx context.Context, o port.DeployRequest) error {
	l, ok := s.Target.(port.Locker)
	if !ok {
		return nil
	}
	if err := l.Unlock(ctx, o); err != nil {
		return fmt.Errorf("unlock %s: %w", o.Environment, err)
	}
	return nil
}

// FailureCheck returns a function that reports why the release can't become
// healthy, or nil: it has lost the traffic, all of its replicas have exited, or
// the target does not work.
func (s Session) FailureCheck(o port.DeployRequest) func(context.Context) error {
	return s.observedCheck(o, func(obs port.Observation) error { return ServingError(obs, o.ID) })
}

// outageCheck is FailureCheck for a release without traffic: only the target can
// be the reason.
func (s Session) outageCheck(o port.DeployRequest) func(context.Context) error {
	return s.observedCheck(o, OutageError)
}

// observedCheck checks the target's observation. Without one the service's own
// responses decide.
func (s Session) observedCheck(o port.DeployRequest, check func(port.Observation) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if obs, err := s.Target.Observe(ctx, o.Service, o.Environment); err == nil {
			return check(obs)
		}
		return nil
	}
}

// OutageError returns why the target itself does not work, as a failure of the
// infrastructure, or nil.
func OutageError(obs port.Observation) error {
	if obs.Outage == "" {
		return nil
	}
	return fault.New(fault.Unavailable, "%s", obs.Outage).Infrastructure()
}

// ServingError returns why the release does not serve, or nil: the target does not
// work, the release has lost the traffic, or all of its replicas have exited.
func ServingError(obs port.Observation, id delivery.ReleaseID) error {
	if err := OutageError(obs); err != nil {
		return err
	}
	if obs.Release != id {
		return fault.New(fault.Failed, "the traffic goes to %s", DisplayName(obs.Release))
	}
	if down := DownReason(obs, id); down != "" {
		return fault.New(fault.Failed, "%s", down)
	}
	return nil
}

// DownReason returns why none of a release's replicas can recover by itself, or
// "" if one may.
func DownReason(obs port.Observation, id delivery.ReleaseID) string {
	total, down, cause := 0, 0, ""
	for _, rep := range obs.Replicas {
		if rep.Release != id {
			continue
		}
		total++
		if rep.State == port.ReplicaBackoff || rep.State == port.ReplicaExited {
			down++
			cause = rep.Cause
		}
	}
	switch {
	case total == 0 && len(obs.Replicas) > 0:
		return "none of its replicas is running"
	case total == 0 || down < total:
		return ""
	case cause == "":
		return fmt.Sprintf("all of its %d replicas have exited", total)
	}
	return fmt.Sprintf("all of its %d replicas have exited: %s", total, cause)
}

// DisplayName is a release's name for people, also of no release.
func DisplayName(id delivery.ReleaseID) string {
	if id == "" {
		return "no release"
	}
	return string(id)
}
