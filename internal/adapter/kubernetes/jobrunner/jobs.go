// Package jobrunner implements port.Jobs with Jobs of a Kubernetes cluster.
//
// No storage is needed beside the cluster: the inputs are streamed into the pod before the
// command starts, and the outputs out of it when the command has ended. A Job is named
// after its job, and looked up before it is made: a process that takes over from one that
// was killed finds it.
package jobrunner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Config configures Jobs.
type Config struct {
	Section Section
	// Connect is called when the cluster is first used.
	Connect func() (*client.Client, error)
	// Patience is how long trouble may last that can end by itself, instead of the usual
	// times: for tests.
	Patience time.Duration
}

// Jobs is safe for concurrent use, also by several processes.
type Jobs struct {
	section  Section
	connect  func() (*client.Client, error)
	patience time.Duration
	ended    context.Context
	end      context.CancelFunc

	mu   sync.Mutex // never held during a request
	conn *client.Client
	jobs map[port.JobHandle]*localJob
}

var (
	_ port.Jobs = (*Jobs)(nil)
	_ io.Closer = (*Jobs)(nil)
)

// localJob is what this process knows of a job.
type localJob struct {
	log *log

	mu   sync.Mutex // held while files are transferred
	spec *port.Job  // nil: it was not submitted by this process
	sent bool
}

// New returns Jobs. Nothing is connected yet.
func New(c Config) *Jobs {
	j := &Jobs{section: c.Section, connect: c.Connect, patience: c.Patience, jobs: map[port.JobHandle]*localJob{}}
	j.ended, j.end = context.WithCancel(context.Background())
	return j
}

// Close ends the reading of logs. The Jobs go on.
func (j *Jobs) Close() error {
	j.end()
	return nil
}

func (j *Jobs) client() (*client.Client, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.conn == nil {
		c, err := j.connect()
		if err != nil {
			return nil, err
		}
		j.conn = c
	}
	return j.conn, nil
}

func (j *Jobs) local(h port.JobHandle) *localJob {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.jobs[h] == nil {
		j.jobs[h] = &localJob{log: &log{}}
	}
	return j.jobs[h]
}

// Mounts returns the paths in the pod: copies of the inputs, and folders whose content is
// fetched when the command has ended.
func (*Jobs) Mounts(job port.Job) (map[string][]string, error) { return mountsOf(job) }

// Submit makes the Job unless it exists. Its handle is the job's name. The inputs are sent
// by Poll, once the pod runs.
func (j *Jobs) Submit(ctx context.Context, job port.Job) (port.JobHandle, error) {
	handle := port.JobHandle(job.Name)
	if err := checkFiles(job); err != nil {
		return "", err
	}
	object, err := newJob(j.section, job)
	if err != nil {
		return "", err
	}
	c, err := j.client()
	if err != nil {
		return "", err
	}
	live, err := c.Get(ctx, client.Jobs(), "", object.Name)
	if err == nil && live == nil {
		live, err = j.create(ctx, c, job, object)
	}
	if err != nil {
		return handle, fmt.Errorf("submit job %s: %w", job.Name, err)
	}
	if theirs := live.GetAnnotations()[labels.Content]; theirs != object.Annotations[labels.Content] {
		return "", fault.New(fault.Conflict, "job %s: Job %s in %s does something else", job.Name, object.Name, c).
			Hint("delete it, or run again: a new run has another name")
	}
	if live.GetAnnotations()[outputsAnnotation] != object.Annotations[outputsAnnotation] { // another machine goes on
		if err := j.redirect(ctx, c, object.Name, object.Annotations[outputsAnnotation]); err != nil {
			return handle, err
		}
	}
	own := j.local(handle)
	own.mu.Lock()
	own.spec = &job
	own.mu.Unlock()
	return handle, nil
}

// checkFiles refuses a job that can't run, before anything is made.
func checkFiles(job port.Job) error {
	for name, in := range job.Inputs {
		paths, err := in.Paths()
		if err != nil {
			return fmt.Errorf("job %s: input %s: %w", job.Name, name, err)
		}
		for _, p := range paths {
			if _, err := os.Stat(p); err != nil {
				return fault.New(fault.NotFound, "job %s: input %s", job.Name, p).Cause(err)
			}
		}
	}
	for name, uri := range job.Outputs {
		if _, err := port.FilePath(uri); err != nil {
			return fmt.Errorf("job %s: output %s: %w", job.Name, name, err)
		}
	}
	return nil
}

// create makes the Job. Its outputs are where they belong once they were fetched, and not
// before.
func (j *Jobs) create(ctx context.Context, c *client.Client, job port.Job, object any) (*unstructured.Unstructured, error) {
	if err := removeFolders(job.Outputs); err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	delete(content, "status")
	u := &unstructured.Unstructured{Object: content}
	made, err := c.In(client.Jobs(), "").Create(ctx, u, metav1.CreateOptions{FieldManager: labels.Manager})
	if apierrors.IsAlreadyExists(err) { // by another process, or by this one, whose response was lost
		live, err := c.Get(ctx, client.Jobs(), "", u.GetName())
		if err == nil && live == nil {
			err = fault.New(fault.Unavailable, "Job %s was removed", u.GetName())
		}
		return live, err
	}
	if err != nil {
		return nil, client.Explain("create Job "+u.GetName()+" in "+c.String(), err)
	}
	return made, nil
}

func removeFolders(outputs map[string]string) error {
	for _, uri := range outputs {
		dir, err := port.FilePath(uri)
		if err == nil {
			err = os.RemoveAll(dir)
		}
		if err != nil {
			return fault.New(fault.FileKind(err), "remove the output folder %s", dir).Cause(err)
		}
	}
	return nil
}

// redirect writes down where the outputs go now.
func (j *Jobs) redirect(ctx context.Context, c *client.Client, name, outputs string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{outputsAnnotation: outputs}}})
	if err != nil {
		return err
	}
	_, err = c.In(client.Jobs(), "").Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: labels.Manager})
	return client.Explain("annotate Job "+name, err)
}

// Log returns what the command printed, and how the pod came to start it, as far as this
// process has read it.
func (j *Jobs) Log(ctx context.Context, h port.JobHandle, offset int64) (io.ReadCloser, error) {
	if _, err := objectName(h); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("read the log of job %s: %w", h, context.Cause(ctx))
	}
	return io.NopCloser(bytes.NewReader(j.local(h).log.from(offset))), nil
}

// outputsOf returns the local folders of a Job's outputs, by name.
func outputsOf(live *unstructured.Unstructured) (uris, folders map[string]string, err error) {
	if err := json.Unmarshal([]byte(live.GetAnnotations()[outputsAnnotation]), &uris); err != nil {
		return nil, nil, fault.New(fault.Corrupt, "read the annotation %s of %s", outputsAnnotation, client.Title(live)).Cause(err)
	}
	folders = map[string]string{}
	for name, uri := range uris {
		if folders[name], err = port.FilePath(uri); err != nil {
			return nil, nil, err
		}
	}
	return uris, folders, nil
}
