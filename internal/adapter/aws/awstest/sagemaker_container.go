package awstest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Container is what a job runs: a function of the test in place of the job's image.
type Container func(r *Running) (exit int)

// Running is a job whose container runs.
type Running struct {
	Job        Job
	Root       string          // a folder in place of /opt/ml
	Entrypoint []string        // with its arguments, as the job has them
	Stopping   <-chan struct{} // closed with SIGTERM
	Print      func(line string)
}

// SetContainer makes jobs run f from now on.
func (c *Cloud) SetContainer(f Container) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.container = f
}

// run lives the life of a job with a container.
func (c *Cloud) run(j *Job, f Container) {
	defer close(j.done)
	root, err := os.MkdirTemp("", "awstest-job-")
	if err != nil {
		c.fail(j, err)
		return
	}
	defer func() { _ = os.RemoveAll(root) }()
	c.step(j, "Downloading", func() error { return c.download(j, root) })
	var spec struct {
		AlgorithmSpecification, AppSpecification struct{ ContainerEntrypoint, ContainerArguments []string }
		StoppingCondition                        struct{ MaxRuntimeInSeconds int }
	}
	text, err := json.Marshal(j.Input)
	if err == nil {
		err = json.Unmarshal(text, &spec)
	}
	if err != nil {
		c.fail(j, err)
		return
	}
	c.step(j, "Training", func() error { return nil })
	if n := spec.StoppingCondition.MaxRuntimeInSeconds; n > 0 {
		overtime := time.AfterFunc(time.Duration(n)*time.Second, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if j.Status == "InProgress" && j.Secondary == "Training" {
				c.stop(j, "MaxRuntimeExceeded")
			}
		})
		defer overtime.Stop()
	}
	c.mu.Lock()
	r := &Running{
		Job: *j, Root: root, Stopping: j.stopping,
		Entrypoint: slices.Concat(spec.AlgorithmSpecification.ContainerEntrypoint, spec.AlgorithmSpecification.ContainerArguments, spec.AppSpecification.ContainerEntrypoint, spec.AppSpecification.ContainerArguments),
		Print:      func(line string) { c.Log(logGroupOf(j.Kind), j.Name+"/algo-1-1", line) },
	}
	ended, stopped := !j.Ended.IsZero(), j.Status == "Stopping"
	c.mu.Unlock()
	switch {
	case ended:
	case stopped:
		c.finish(j, root, 0)
	default:
		c.finish(j, root, f(r))
	}
}

// step enters a phase and does its work, unless the job has ended or is stopped.
func (c *Cloud) step(j *Job, phase string, work func() error) {
	c.mu.Lock()
	going := j.Status == "InProgress"
	if going {
		c.enter(j, phase)
	}
	c.mu.Unlock()
	if going {
		if err := work(); err != nil {
			c.fail(j, err)
		}
	}
}

func (c *Cloud) fail(j *Job, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(j, "Failed", "ClientError: "+err.Error())
}

// finish uploads what the container wrote, and ends the job.
func (c *Cloud) finish(j *Job, root string, exit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, _ := os.ReadFile(filepath.Join(root, "output", map[string]string{TrainingJob: "failure", ProcessingJob: "message"}[j.Kind]))
	message := strings.TrimSpace(string(text))
	switch {
	case exit != 0 && j.Status == "InProgress" && j.Kind == TrainingJob:
		c.end(j, "Failed", fmt.Sprintf("AlgorithmError: %s, exit code: %d", message, exit))
		return
	case exit != 0 && j.Status == "InProgress":
		j.Message = message
		c.end(j, "Failed", fmt.Sprintf("AlgorithmError: See job logs for more information, exit code: %d", exit))
		return
	}
	if j.Status == "InProgress" {
		c.enter(j, "Uploading")
	}
	if err := c.upload(j, root); err != nil {
		c.end(j, "Failed", "ClientError: "+err.Error())
		return
	}
	secondary := j.Secondary
	if j.Status == "InProgress" {
		c.end(j, "Completed", "")
		return
	}
	c.end(j, "Stopped", "")
	if secondary == "MaxRuntimeExceeded" {
		j.Secondary = secondary
	}
}
