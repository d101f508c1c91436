package kubernetes

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// longest is how long anything is waited for that nobody calls hopeless.
const longest = 15 * time.Minute

// awaited is a state of the cluster that is waited for.
type awaited struct {
	release delivery.ReleaseID
	held    bool
	want    map[string]int // workload -> ready pods of the release
	names   []string       // of the release's Deployments
	// also has to be so when the verdict is Ready; nil: nothing else. The text
	// says what is waited for.
	also func(seen) (waiting string)
}

// await waits until the release is as wanted, or can't become so.
func (t *Target) await(ctx context.Context, c *cluster, w *watching, a awaited, say func(string)) error {
	begun := c.now()
	logs := map[readiness.LogKey][]string{}
	tick := time.NewTimer(0)
	defer tick.Stop()
	last := ""
	for {
		v, s, err := t.judge(ctx, c, w, a, begun, logs)
		if err != nil {
			return err
		}
		waiting := v.Progress
		switch v.State {
		case readiness.Failed:
			return doom(v, say)
		case readiness.Ready:
			if waiting = ""; a.also != nil {
				waiting = a.also(s)
			}
			if waiting == "" {
				return nil
			}
		}
		if waiting != last {
			say(waiting)
			last = waiting
		}
		if c.now().Sub(begun) > longest {
			return fault.New(fault.Failed, "%s is not ready after %s: %s", a.release, longest, waiting)
		}
		tick.Reset(next(v.RequeueAfter))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.changed:
		case <-tick.C:
		}
	}
}

// next is when to judge again though nothing changed.
func next(again time.Duration) time.Duration {
	if again <= 0 || again > 5*time.Second {
		return 5 * time.Second
	}
	return again
}

// judge fetches the logs that a verdict wants before it is believed.
func (t *Target) judge(ctx context.Context, c *cluster, w *watching, a awaited, begun time.Time, logs map[readiness.LogKey][]string) (readiness.Status, seen, error) {
	for {
		if err := w.refusal(); err != nil {
			return readiness.Status{}, seen{}, err
		}
		s, err := w.look()
		if err != nil {
			return readiness.Status{}, s, err
		}
		v := readiness.Assess(a.snapshot(s, c.now(), begun, logs, t.cfg.Timeouts))
		if v.State != readiness.Failed || len(v.LogsNeeded) == 0 {
			return v, s, nil
		}
		for _, k := range v.LogsNeeded {
			lines, err := c.logs(ctx, k.Namespace, k.Pod, k.Container, k.Previous, logLines)
			if err != nil && ctx.Err() != nil {
				return v, s, context.Cause(ctx)
			}
			logs[k] = append([]string{}, lines...) // without lines it is known as well
		}
	}
}

func (a awaited) snapshot(s seen, now, begun time.Time, logs map[readiness.LogKey][]string, p readiness.Timeouts) readiness.Snapshot {
	out := readiness.Snapshot{
		Release: a.release, Held: a.held, MinReady: a.want, ReplicaSets: s.sets,
		Events: s.events, Logs: logs, Now: now, PhaseStart: begun, Timeouts: p,
	}
	for _, name := range a.names {
		if d := s.deployment(name); d != nil {
			out.Workloads = append(out.Workloads, d)
		}
	}
	for _, pod := range s.pods {
		if releaseOf(pod) == a.release {
			out.Pods = append(out.Pods, pod)
		} else {
			out.OldPods = append(out.OldPods, pod)
		}
	}
	return out
}

func releaseOf(pod corev1.Pod) delivery.ReleaseID {
	return delivery.ReleaseID(pod.Labels[releaseLabel])
}

// lastLines is how many lines of a log go into a cause.
const lastLines = 3

// doom is a verdict as an error. The log is said before: its pod will be gone.
// The cause names more than one line: what a program prints to its two outputs
// comes in no certain order, so the last one need not be the one that tells.
func doom(v readiness.Status, say func(string)) error {
	for _, line := range v.LogTail {
		say("log | " + line)
	}
	kind := v.Kind
	if kind == "" {
		kind = fault.Failed
	}
	cause := v.Cause
	if n := len(v.LogTail); n > 1 {
		cause += " (last lines: " + strings.Join(v.LogTail[max(0, n-lastLines):], " | ") + ")"
	}
	f := fault.New(kind, "%s", cause)
	if v.Hint != "" {
		f = f.Hint("%s", v.Hint)
	}
	return f
}
