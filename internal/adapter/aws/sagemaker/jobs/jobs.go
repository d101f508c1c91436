// Package jobs implements port.Jobs with training and processing jobs of Amazon
// SageMaker. What writes a model is a training job, anything else a processing job.
//
// The inputs are stored in a bucket under their digests, and the command with them. A
// job's name is that of the port's job, made to fit, and looked up before the job is
// made: a process that takes over from one that was killed finds it.
package jobs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Config configures Jobs. The zero values of all but Section are valid.
type Config struct {
	Section  Section
	Options  session.Options
	Clock    func() time.Time
	Interval time.Duration // between two looks at a job; 0: 5 s
}

// Jobs is safe for concurrent use, also by several processes.
type Jobs struct {
	section  Section
	options  session.Options
	clock    func() time.Time
	interval time.Duration

	mu   sync.Mutex // never held during a request
	conn *connection
	jobs map[port.JobHandle]*localJob
}

var _ port.Jobs = (*Jobs)(nil)

// connection is what requests are sent by.
type connection struct {
	session *session.Session
	objects *s3.Client
}

// jobsOf makes the SDK's client where it is used: as a field, the linker would keep all
// of its operations.
func jobsOf(c *connection) *sagemaker.Client { return sagemaker.NewFromConfig(c.session.Config) }

// localJob is what this process knows of a job.
type localJob struct {
	log log

	mu     sync.Mutex // held while the job is looked at
	spec   *port.Job  // nil: it was not submitted by this process
	looked time.Time
	pause  time.Duration // until the next look
	failed time.Time     // since when looks fail; zero: they do not
	last   port.JobState
}

// defaultInterval is between two looks at a job.
const defaultInterval = 5 * time.Second

// New returns Jobs. Nothing is sent yet.
func New(c Config) *Jobs {
	j := &Jobs{section: c.Section, options: c.Options, clock: c.Clock, interval: cmp.Or(c.Interval, defaultInterval), jobs: map[port.JobHandle]*localJob{}}
	if j.clock == nil {
		j.clock = time.Now
	}
	return j
}

func (j *Jobs) connect(ctx context.Context) (*connection, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.conn == nil {
		s, err := session.Open(ctx, j.section.AWS, j.options)
		if err != nil {
			return nil, err
		}
		j.conn = &connection{session: s, objects: s3.New(s)}
	}
	return j.conn, nil
}

func (j *Jobs) local(h port.JobHandle) *localJob {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.jobs[h] == nil {
		j.jobs[h] = &localJob{last: port.JobState{Found: true}}
	}
	return j.jobs[h]
}

// Mounts returns the paths in the container.
func (*Jobs) Mounts(job port.Job) (map[string][]string, error) { return mountsOf(job) }

// Submit makes the job unless it exists. Its handle is the job's name.
func (j *Jobs) Submit(ctx context.Context, job port.Job) (port.JobHandle, error) {
	handle := port.JobHandle(job.Name)
	name, err := awsName(handle)
	if err == nil {
		_, err = mountsOf(job)
	}
	if err == nil {
		err = checkFiles(job)
	}
	if err != nil {
		return "", err
	}
	dir, err := workDir(job)
	if err != nil {
		return "", err
	}
	content, err := contentOf(j.section, job, dir)
	if err != nil {
		return "", err
	}
	c, err := j.connect(ctx)
	if err != nil {
		return "", err
	}
	found, err := j.lookPatiently(ctx, c, name, formOf(job))
	if err != nil {
		return handle, fmt.Errorf("submit job %s: %w", job.Name, err)
	}
	if !found.exists {
		if found, err = j.create(ctx, c, job, name, dir, string(content)); err != nil {
			return handle, fmt.Errorf("submit job %s: %w", job.Name, err)
		}
	}
	if found.content != string(content) {
		return "", fault.New(fault.Conflict, "job %s: the job %s of SageMaker does something else", job.Name, name).
			Hint("run again: a new run has another name")
	}
	own := j.local(handle)
	own.mu.Lock()
	if own.spec == nil { // what was seen of it before lacks its outputs
		own.last, own.looked = port.JobState{Found: true}, time.Time{}
	}
	own.spec = &job
	own.mu.Unlock()
	return handle, nil
}

// create stores what the job reads, and makes it, with its outputs empty.
func (j *Jobs) create(ctx context.Context, c *connection, job port.Job, name, dir, content string) (look, error) {
	if err := c.session.Check(ctx); err != nil {
		return look{}, err
	}
	if err := j.checkCredentials(ctx, c, j.runtime(job)+j.section.MaxPending.D()); err != nil {
		return look{}, err
	}
	if err := j.checkImage(ctx, c, port.JobHandle(job.Name)); err != nil {
		return look{}, err
	}
	if err := emptyFolders(job.Outputs); err != nil {
		return look{}, err
	}
	o := order{section: j.section, form: formOf(job), job: job, name: name, content: content, runtime: j.runtime(job), own: j.object("jobs/"+name, ""), archives: map[string]s3.Object{}}
	for input, a := range job.Inputs {
		var err error
		if o.archives[input], err = j.storeInput(ctx, c, input, a); err != nil {
			return look{}, err
		}
	}
	for file, text := range map[string]string{scriptFile: script(o.form, job, o.archives, dir), envFile: j.envScript(o.form, job.Command.Env), commandFile: job.Command.Run} {
		at := j.object("jobs/"+name+"/run", file)
		if err := c.objects.Replace(ctx, at, strings.NewReader(text), int64(len(text)), s3.Encryption{KMSKey: j.section.KMS}); err != nil {
			return look{}, err
		}
	}
	err := o.send(ctx, c)
	if taken := (*types.ResourceInUse)(nil); errors.As(err, &taken) { // by another process, or by this one, whose response was lost
		return j.lookPatiently(ctx, c, name, o.form)
	}
	return look{exists: err == nil, content: content}, j.refused(ctx, c, "create the job "+name, err)
}

// runtime is how long the job may run.
func (j *Jobs) runtime(job port.Job) time.Duration {
	return max(cmp.Or(j.section.MaxRuntime.D(), job.Command.Timeout, 24*time.Hour), time.Second)
}

func emptyFolders(outputs map[string]string) error {
	for _, uri := range outputs {
		dir, err := port.FilePath(uri)
		if err == nil {
			err = errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755))
		}
		if err != nil {
			return fault.New(fault.FileKind(err), "empty the output folder %s", dir).Cause(err)
		}
	}
	return nil
}

// How long, and how often, a look is tried while AWS is busy or away.
const (
	maxPatience = 15 * time.Minute
	maxPause    = time.Minute
)

// lookPatiently looks a job up, and waits while AWS throttles or is away: whether the
// job exists has to be known before one is made.
func (j *Jobs) lookPatiently(ctx context.Context, c *connection, name string, f form) (look, error) {
	begun, pause := j.clock(), j.interval
	for {
		found, err := j.look(ctx, c, name, f)
		if !fault.Is(err, fault.Unavailable) || ctx.Err() != nil || j.clock().Sub(begun) > maxPatience {
			return found, err
		}
		if err := wait.Sleep(ctx, pause); err != nil {
			return look{}, fmt.Errorf("look up the job %s: %w", name, err)
		}
		pause = min(2*pause, maxPause)
	}
}

// Log returns what the job printed, as far as this process has read it.
func (j *Jobs) Log(ctx context.Context, h port.JobHandle, offset int64) (io.ReadCloser, error) {
	if _, err := awsName(h); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("read the log of job %s: %w", h, context.Cause(ctx))
	}
	return io.NopCloser(bytes.NewReader(j.local(h).log.from(offset))), nil
}

// Stop ends the job: its processes get SIGTERM, and two minutes.
func (j *Jobs) Stop(ctx context.Context, h port.JobHandle) error {
	name, err := awsName(h)
	if err != nil {
		return err
	}
	c, err := j.connect(ctx)
	if err != nil {
		return err
	}
	ask := func(f form) (look, error) { return j.lookPatiently(ctx, c, name, f) }
	return oneOf([]form{trainingForm, processingForm}, ask, func(f form, found look) error {
		if found.isOver() {
			return nil
		}
		if f.training {
			_, err = jobsOf(c).StopTrainingJob(ctx, &sagemaker.StopTrainingJobInput{TrainingJobName: &name})
		} else {
			_, err = jobsOf(c).StopProcessingJob(ctx, &sagemaker.StopProcessingJobInput{ProcessingJobName: &name})
		}
		if err != nil {
			if now, lookErr := j.look(ctx, c, name, f); lookErr == nil && now.isOver() { // it ended meanwhile
				return nil
			}
			return c.session.Explain(ctx, "stop the job "+name, err)
		}
		own := j.local(h)
		own.mu.Lock()
		own.looked = time.Time{} // its state has changed
		own.mu.Unlock()
		return nil
	})
}
