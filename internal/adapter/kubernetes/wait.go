package kubernetes

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// maxWait is how long a condition is waited for that may still become true.
const maxWait = 15 * time.Minute

// logTailLines is how many lines of a failing container's log are read.
const logTailLines = 10

// condition is a state of the cluster that is waited for.
type condition struct {
	release delivery.ReleaseID
	held    bool
	want    map[string]int // workload -> ready pods of the release
	names   []string       // of the release's Deployments
	scaled  []string       // those of them that an autoscaler may give fewer pods meanwhile

	// further must return "" once the verdict is Ready; nil: nothing else must be
	// true. The text is what is still missing.
	further func(client.Snapshot) (missing string)
}

// waiter waits for a condition.
type waiter struct {
	client    *client.Client
	informers *client.Informers
	condition condition
	timeouts  readiness.Timeouts
	report    func(string)

	set *manifest.Set // of the request; nil: only its release is known

	start    time.Time // by the cluster's clock
	startups readiness.Startups
	logs     map[readiness.LogKey][]string
	reached  map[string]bool // workloads that were seen with the wanted number of pods
}

// wait waits until the condition is true, or cannot become true.
func (w *waiter) wait(ctx context.Context) error {
	w.start, w.startups, w.logs = w.client.Now(), readiness.Startups{}, map[readiness.LogKey][]string{}
	w.reached = map[string]bool{}
	tick := time.NewTimer(0)
	defer tick.Stop()
	reported := ""
	for {
		v, s, err := w.assess(ctx)
		if err != nil {
			return err
		}
		progress := v.Progress
		switch v.State {
		case readiness.Failed:
			return verdictError(v, w.report)
		case readiness.Ready:
			if progress = ""; w.condition.further != nil {
				progress = w.condition.further(s)
			}
			if progress == "" {
				return nil
			}
		}
		if progress != reported {
			w.report(progress)
			reported = progress
		}
		if limit := w.limit(s); w.client.Now().Sub(w.start) > limit {
			return fault.New(fault.Failed, "%s is not ready after %s: %s", w.condition.release, limit, progress)
		}
		tick.Reset(nextCheck(v.RequeueAfter))
		select {
		case <-ctx.Done():
			return waitEnded(ctx, "wait until "+string(w.condition.release)+" is ready", context.Cause(ctx))
		case <-w.informers.Changed():
		case <-tick.C:
		}
	}
}

// limit returns how long the condition is waited for: as long as the workloads' own
// limits, where those are longer.
func (w *waiter) limit(s client.Snapshot) time.Duration {
	var startup, deadline time.Duration
	for _, pod := range s.Pods {
		if rollout.ReleaseOf(pod) == w.condition.release {
			startup = max(startup, readiness.StartupBudget(pod.Spec))
		}
	}
	for _, d := range w.deadlines(s) {
		deadline = max(deadline, d)
	}
	return max(maxWait, startup+deadline)
}

// deadlines returns how long a pod's init containers may run, by workload.
func (w *waiter) deadlines(s client.Snapshot) map[string]time.Duration {
	out := map[string]time.Duration{}
	for _, name := range w.condition.names {
		if deadline := w.set.ProgressDeadline(s.Deployment(name)); deadline > 0 {
			out[name] = deadline
		}
	}
	return out
}

// maxCheckInterval is how long nothing is assessed if nothing changes.
const maxCheckInterval = 5 * time.Second

func nextCheck(requeueAfter time.Duration) time.Duration {
	if requeueAfter <= 0 {
		return maxCheckInterval
	}
	return min(requeueAfter, maxCheckInterval)
}

// assess returns the verdict, with the logs that it needs.
func (w *waiter) assess(ctx context.Context) (readiness.Status, client.Snapshot, error) {
	if err := w.informers.Err(); err != nil {
		return readiness.Status{}, client.Snapshot{}, err
	}
	s, err := w.informers.Snapshot()
	if err != nil {
		return readiness.Status{}, s, err
	}
	w.startups.Note(s.Pods, w.client.Now())
	v, err := assessWithLogs(ctx, w.client, w.snapshot(s))
	return v, s, err
}

// assessWithLogs returns the verdict, and adds the logs that it needs to the snapshot's.
func assessWithLogs(ctx context.Context, c *client.Client, s readiness.Snapshot) (readiness.Status, error) {
	for {
		v := readiness.Assess(s)
		if v.State != readiness.Failed || len(v.LogsNeeded) == 0 {
			return v, nil
		}
		for _, k := range v.LogsNeeded {
			lines, err := c.LogTail(ctx, client.Log(k), logTailLines)
			if err != nil && ctx.Err() != nil {
				return v, waitEnded(ctx, "read the log of pod "+k.Pod, context.Cause(ctx))
			}
			s.Logs[k] = append([]string{}, lines...) // not nil: an empty log is known, too
		}
	}
}

func (w *waiter) snapshot(s client.Snapshot) readiness.Snapshot {
	out := readiness.Snapshot{
		Release: w.condition.release, Held: w.condition.held, MinReady: w.minReady(s), ReplicaSets: s.ReplicaSets,
		Events: s.Events, Logs: w.logs, Now: w.client.Now(), PhaseStart: w.start, Timeouts: w.timeouts,
		Startups: w.startups, Deadline: w.deadlines(s),
	}
	for _, name := range w.condition.names {
		if d := s.Deployment(name); d != nil {
			out.Workloads = append(out.Workloads, d)
		}
	}
	for _, pod := range s.Pods {
		switch {
		case !rollout.OwnedByAny(pod, w.condition.names): // of a Job, or of what the release no longer has
		case rollout.ReleaseOf(pod) == w.condition.release:
			out.Pods = append(out.Pods, pod)
		default:
			out.OldPods = append(out.OldPods, pod)
		}
	}
	return out
}

// minReady returns how many pods must be ready: no more than an autoscaler, or a person
// who scaled a workload meanwhile, wants by now. A number that was never the wanted one
// may be from before the workload was applied.
func (w *waiter) minReady(s client.Snapshot) map[string]int {
	out := maps.Clone(w.condition.want)
	for name, want := range w.condition.want {
		n, ok := manifest.Replicas(s.Deployment(name))
		if !ok {
			continue
		}
		w.reached[name] = w.reached[name] || int(n) >= want
		if w.reached[name] || slices.Contains(w.condition.scaled, name) {
			out[name] = min(want, int(n))
		}
	}
	return out
}

// maxCauseLines is how many lines of a log go into a cause.
const maxCauseLines = 3

// verdictError turns a verdict into an error. The log is reported before: its pod will be
// gone. The cause has more than one line: what a program prints to its two outputs
// comes in no certain order, so the last line need not be the one that explains it.
func verdictError(v readiness.Status, report func(string)) error {
	for _, line := range v.LogTail {
		report("log | " + line)
	}
	kind := v.Kind
	if kind == "" {
		kind = fault.Failed
	}
	cause := v.Cause
	if n := len(v.LogTail); n > 1 {
		cause += " (last lines: " + strings.Join(v.LogTail[max(0, n-maxCauseLines):], " | ") + ")"
	}
	f := fault.New(kind, "%s", cause)
	if v.Hint != "" {
		f = f.Hint("%s", v.Hint)
	}
	if v.Infrastructure { // a registry that does not respond, a quota that is used up
		return f.Infrastructure()
	}
	return fault.AsVerdict(f)
}
