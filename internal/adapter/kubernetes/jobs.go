package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

// jobState is the state of a Job in the cluster.
type jobState string

const (
	jobAbsent   jobState = "absent"
	jobRunning  jobState = "running"
	jobComplete jobState = "complete"
	jobFailed   jobState = "failed"
	jobDeleted  jobState = "deleted" // and not gone yet
)

func jobStateOf(live *unstructured.Unstructured) jobState {
	switch {
	case live == nil:
		return jobAbsent
	case live.GetDeletionTimestamp() != nil:
		return jobDeleted
	case client.ConditionTrue(live, "Complete"):
		return jobComplete
	case client.ConditionTrue(live, "Failed"):
		return jobFailed
	}
	return jobRunning
}

// jobAction is what is done about a Job in a state.
type jobAction string

const (
	createJob jobAction = "create"
	removeJob jobAction = "remove"
	awaitJob  jobAction = "await"
	skipJob   jobAction = "skip"
	refuseJob jobAction = "refuse"
)

// nextAction decides about a Job from what is in the cluster under its name. What was
// done once for a content is not done again. What failed in another run may succeed now;
// in the same run, which was interrupted and goes on, it stays failed.
func nextAction(wanted, live *unstructured.Unstructured, run string) jobAction {
	state := jobStateOf(live)
	if state == jobAbsent {
		return createJob
	}
	same := live.GetAnnotations()[labels.Content] == wanted.GetAnnotations()[labels.Content]
	if live.GetAnnotations()[labels.Content] == "" { // its name is not that of its content
		same = live.GetAnnotations()[labels.Release] == wanted.GetAnnotations()[labels.Release]
	}
	switch {
	case state == jobDeleted:
		return awaitJob
	case !same:
		return removeJob
	case state == jobComplete:
		return skipJob
	case state == jobRunning:
		return awaitJob
	case live.GetAnnotations()[labels.Run] == run:
		return refuseJob
	}
	return removeJob
}

// runJobs runs the release's Jobs one after the other: a second one may need what the
// first has done.
func (op *operation) runJobs(ctx context.Context) error {
	for _, job := range op.set.JobsToRun(op.state.Traffic == "", op.request.Rollback) {
		if err := op.runJob(ctx, job); err != nil {
			return err
		}
	}
	return nil
}

const (
	jobPollInterval = 300 * time.Millisecond
	jobLookInterval = 2 * time.Second // between two looks at the pods of a Job that runs
)

// runJob runs a Job unless it has been run, and waits for its end.
func (op *operation) runJob(ctx context.Context, job *unstructured.Unstructured) error {
	j := jobWait{op: op, job: job, start: op.client.Now(), timeout: jobTimeout(job)}
	return waitEnded(ctx, "wait for the end of "+client.Title(job), wait.Poll(ctx, jobPollInterval, j.step))
}

// jobTimeout returns how long a Job is waited for: its own deadline, of which the API
// takes care, or the limit of every wait.
func jobTimeout(job *unstructured.Unstructured) time.Duration {
	const margin = 30 * time.Second
	if seconds, ok, _ := unstructured.NestedInt64(job.Object, "spec", "activeDeadlineSeconds"); ok {
		return time.Duration(seconds)*time.Second + margin
	}
	return maxWait
}

// jobWait is one wait for a Job.
type jobWait struct {
	op       *operation
	job      *unstructured.Unstructured
	start    time.Time // by the cluster's clock
	timeout  time.Duration
	looked   time.Time
	reported string
}

// step takes the next step towards the Job's end, and reports whether it has come.
func (j *jobWait) step(ctx context.Context) (done bool, err error) {
	live, err := j.op.client.Get(ctx, client.Jobs(), j.job.GetNamespace(), j.job.GetName())
	if err != nil {
		return false, err
	}
	switch nextAction(j.job, live, string(j.op.request.Run)) {
	case skipJob:
		return true, nil
	case createJob:
		return false, j.create(ctx)
	case removeJob:
		j.report("removing " + client.Title(live) + ", which another run left")
		return false, j.op.delete(ctx, client.Jobs(), live)
	case refuseJob:
		return false, j.look(ctx, live)
	}
	if now := j.op.client.Now(); now.Sub(j.looked) >= jobLookInterval {
		j.looked = now
		if err := j.look(ctx, live); err != nil {
			return false, err
		}
	}
	if j.op.client.Now().Sub(j.start) > j.timeout {
		return false, fault.AsVerdict(fault.New(fault.Exhausted, "%s has not ended after %s", client.Title(j.job), j.timeout).
			Hint("set activeDeadlineSeconds of the Job if it needs longer"))
	}
	return false, nil
}

// create starts the Job once no pod of an earlier one of its name runs any more: two
// migrations at once could destroy what they migrate.
func (j *jobWait) create(ctx context.Context) error {
	pods, err := j.pods(ctx)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if !isTerminal(pod) {
			j.report("pod " + pod.Name + " of an earlier run is still terminating")
			return nil
		}
	}
	j.report("running " + client.Title(j.job))
	o := j.job.DeepCopy()
	annotations := o.GetAnnotations()
	annotations[labels.Run] = string(j.op.request.Run)
	o.SetAnnotations(annotations)
	return j.op.apply(ctx, []*unstructured.Unstructured{o})
}

// look reports where the Job stands. It returns the verdict on one that failed, or that
// cannot start.
func (j *jobWait) look(ctx context.Context, live *unstructured.Unstructured) error {
	pods, err := j.pods(ctx)
	if err != nil {
		return err
	}
	v, err := j.op.assess(ctx, readiness.Snapshot{
		Workloads: []*unstructured.Unstructured{live}, Pods: pods,
		MinReady: map[string]int{live.GetName(): 1}, Held: true, PhaseStart: j.start,
	})
	switch {
	case err != nil:
		return err
	case v.State == readiness.Failed:
		if len(v.LogTail) == 0 && v.Hint == "" {
			v.Hint = "with restartPolicy: Never the API keeps the pod, and its log, of a Job that failed"
		}
		return verdictError(v, j.op.report)
	case jobStateOf(live) == jobFailed:
		return fault.AsVerdict(fault.New(fault.Failed, "%s failed", client.Title(live)))
	case v.State == readiness.Ready || slices.ContainsFunc(pods, isTerminal):
		j.report(client.Title(live) + " is running")
	default:
		_, reason, _ := strings.Cut(v.Progress, "; ") // after the number of ready pods
		j.report(client.Title(live) + " has not started: " + reason)
	}
	return nil
}

func (j *jobWait) pods(ctx context.Context) ([]corev1.Pod, error) {
	j.op.client.ForgetLists()
	return client.ListOf[corev1.Pod](ctx, j.op.client, client.Pods(), "batch.kubernetes.io/job-name="+j.job.GetName())
}

func (j *jobWait) report(text string) {
	if text != j.reported {
		j.op.report(text)
		j.reported = text
	}
}

// assess assesses objects that are not watched, with the namespace's warnings. Their
// pods count whatever release they carry.
func (op *operation) assess(ctx context.Context, s readiness.Snapshot) (readiness.Status, error) {
	events, err := op.client.Warnings(ctx)
	if err != nil {
		return readiness.Status{}, err
	}
	for i := range s.Pods {
		s.Pods[i].Labels = map[string]string{labels.Release: string(op.request.ID), appsv1.DefaultDeploymentUniqueLabelKey: s.Pods[i].Labels[appsv1.DefaultDeploymentUniqueLabelKey]}
	}
	s.Release, s.Events, s.Now, s.Timeouts = op.request.ID, events, op.client.Now(), op.target.cfg.Timeouts
	s.Logs = map[readiness.LogKey][]string{}
	return assessWithLogs(ctx, op.client, s)
}

// unrunJobs returns the Jobs that the release would run and that the cluster lacks: only
// these can be tried, and are a change.
func unrunJobs(ctx context.Context, c *client.Client, set *manifest.Set, empty, rollback bool) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, job := range set.JobsToRun(empty, rollback) {
		live, err := c.Get(ctx, client.Jobs(), job.GetNamespace(), job.GetName())
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", client.Title(job), err)
		}
		if live == nil {
			out = append(out, job)
		}
	}
	return out, nil
}
