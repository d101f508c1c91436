package jobrunner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/scratch"
)

// Poll returns the job's state, and does what is due: it sends the inputs when the pod
// waits for them, and fetches the outputs when the command has ended.
func (j *Jobs) Poll(ctx context.Context, h port.JobHandle) (port.JobState, error) {
	name, err := objectName(h)
	if err != nil {
		return port.JobState{}, err
	}
	c, err := j.client()
	if err != nil {
		return port.JobState{}, err
	}
	live, err := c.Get(ctx, client.Jobs(), "", name)
	if err != nil || live == nil {
		return port.JobState{}, err
	}
	if e, err := endingOf(live); err != nil {
		return port.JobState{}, err
	} else if e != nil {
		return e.state(), nil
	}
	pod, err := findPod(ctx, c, name)
	if err != nil {
		return port.JobState{}, err
	}
	p := poll{jobs: j, client: c, handle: h, live: live, pod: pod, own: j.local(h)}
	return p.look(ctx)
}

var running = port.JobState{Found: true}

func (p *poll) look(ctx context.Context) (port.JobState, error) {
	if p.pod == nil {
		return p.withoutPod(ctx)
	}
	if s := statusOf(p.pod.Status.ContainerStatuses, command); s != nil && (s.State.Running != nil || s.State.Terminated != nil) {
		p.own.log.follow(p.jobs.ended, p.client, client.Log{Namespace: p.pod.Namespace, Pod: p.pod.Name, Container: command})
		if s.State.Terminated != nil {
			return p.finish(ctx, *s)
		}
		return p.overtime(ctx, s.State.Running.StartedAt.Time)
	}
	if p.pod.Status.Phase == corev1.PodFailed {
		return ended("its pod failed: " + podReason(p.pod)), nil
	}
	if s := statusOf(p.pod.Status.InitContainerStatuses, receiver); s != nil && s.State.Running != nil {
		return running, p.send(ctx)
	}
	return p.wait(ctx, podTrouble(p.pod), p.client.Now().Sub(p.pod.CreationTimestamp.Time))
}

// withoutPod judges a Job that has no pod: not yet, or not any more.
func (p *poll) withoutPod(ctx context.Context) (port.JobState, error) {
	if failed := conditionMessage(p.live, "Failed"); failed != "" {
		return ended("the Job failed: " + failed), nil
	}
	age := p.client.Now().Sub(p.live.GetCreationTimestamp().Time)
	if age < noPodPatience {
		return running, nil
	}
	warnings, err := p.client.Warnings(ctx)
	if err != nil {
		return running, nil //nolint:nilerr // a role may not list events: then the deadline ends the wait
	}
	return p.wait(ctx, creationTrouble(p.live, warnings), age)
}

// wait reports what a Job waits for, and gives up when that has lasted too long.
func (p *poll) wait(ctx context.Context, t trouble, since time.Duration) (port.JobState, error) {
	switch {
	case t.why == "":
		return running, nil
	case t.patience > 0 && since <= cmp.Or(p.jobs.patience, t.patience):
		p.own.log.note("waiting: " + t.why)
		return running, nil
	}
	p.own.log.note(t.why)
	return ended(t.why), p.endJob(ctx, ending{Reason: t.why})
}

// overtime ends a command that runs for longer than it may.
func (p *poll) overtime(ctx context.Context, since time.Time) (port.JobState, error) {
	p.own.mu.Lock()
	spec := p.own.spec
	p.own.mu.Unlock()
	if spec == nil || spec.Command.Timeout <= 0 || p.client.Now().Sub(since) < spec.Command.Timeout {
		return running, nil
	}
	e := ending{Reason: fmt.Sprintf("timed out after %s", spec.Command.Timeout), TimedOut: true}
	return e.state(), p.endJob(ctx, e)
}

// send sends the inputs once. A process that did not submit the job has none.
func (p *poll) send(ctx context.Context) error {
	p.own.mu.Lock()
	defer p.own.mu.Unlock()
	if p.own.spec == nil || p.own.sent {
		return nil
	}
	from, to := io.Pipe()
	go func() { _ = to.CloseWithError(writeInputs(ctx, to, *p.own.spec)) }()
	err := p.client.Run(ctx, client.Exec{Pod: p.pod.Name, Container: receiver, Command: []string{"sh", "-c", sendScript}, Stdin: from})
	_ = from.Close()
	// The container ends as soon as the inputs are in their place, and what sent them may
	// be killed with it.
	if err != nil && !p.hasEnded(ctx, receiver) {
		return p.transferFailed("send the inputs of job "+string(p.handle), err)
	}
	p.own.sent = true
	return nil
}

// transferFailed explains what only the image can be the cause of.
// finish fetches the outputs of a command that has ended well, and lets the pod end.
func (p *poll) finish(ctx context.Context, s corev1.ContainerStatus) (port.JobState, error) {
	end := s.State.Terminated
	p.own.log.await(ctx, maxLogDelay)
	uris, folders, err := outputsOf(p.live)
	if err != nil {
		return port.JobState{}, err
	}
	state := port.JobState{Found: true, Done: true, Exit: port.Exit{Code: int(end.ExitCode)}, Image: imageOf(s), Outputs: map[string]port.Artifact{}}
	for name, uri := range uris {
		state.Outputs[name] = port.Artifact{URIs: []string{uri}}
	}
	if end.Reason == "OOMKilled" {
		p.own.log.note("the container exceeded its memory: raise on.kubernetes.memory")
	}
	p.own.mu.Lock()
	defer p.own.mu.Unlock()
	if !isRunning(p.pod, keeper) { // it was let go, once the outputs were here
		return p.fetched(state, folders), nil
	}
	if end.ExitCode == 0 {
		err = p.fetch(ctx, folders)
	}
	if err == nil {
		err = p.letGo(ctx)
	}
	switch {
	case err == nil:
		return state, nil
	case p.hasEnded(ctx, keeper): // another process let it go since the look at the pod
		return p.fetched(state, folders), nil
	}
	return port.JobState{}, err
}

// fetched is the state of a Job whose outputs were fetched before.
func (p *poll) fetched(state port.JobState, folders map[string]string) port.JobState {
	for _, dir := range folders {
		if _, err := os.Stat(dir); err != nil && state.Exit.Code == 0 {
			return ended("its outputs were fetched by another machine, or by none in time")
		}
	}
	return state
}

// fetch copies the outputs into folders beside their places, and moves them there when
// they are complete.
func (p *poll) fetch(ctx context.Context, folders map[string]string) (err error) {
	act := "fetch the outputs of job " + string(p.handle)
	partial := map[string]string{}
	for name, dir := range folders {
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return fault.New(fault.FileKind(err), "%s", act).Cause(err)
		}
		tmp, tmpErr := scratch.New(filepath.Dir(dir), ".fetch-", time.Now())
		if tmpErr != nil {
			return fault.New(fault.FileKind(tmpErr), "%s", act).Cause(tmpErr)
		}
		defer func() { err = errors.Join(err, tmp.Close()) }()
		partial[name] = tmp.Files()
	}
	from, to := io.Pipe()
	done := make(chan error, 1)
	go func() {
		runErr := p.client.Run(ctx, client.Exec{Pod: p.pod.Name, Container: keeper, Command: []string{"sh", "-c", fetchScript}, Stdout: to})
		_ = to.CloseWithError(runErr)
		done <- runErr
	}()
	err = readOutputs(from, partial)
	_ = from.CloseWithError(err)
	if runErr := <-done; runErr != nil && err == nil {
		err = runErr
	}
	if err != nil {
		return p.transferFailed(act, err)
	}
	for name, dir := range folders {
		if err := errors.Join(os.RemoveAll(dir), os.Chmod(partial[name], 0o755), os.Rename(partial[name], dir)); err != nil {
			return fault.New(fault.FileKind(err), "%s", act).Cause(err)
		}
	}
	return nil
}
