package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

const bucket = "retail-artifacts"

// lab is an AWS, and a machine that trains there.
type lab struct {
	*awstest.Lab
	t       *testing.T
	section Section
	env     map[string]string
	skew    atomic.Int64 // ns by which jobs, and this machine, are ahead
	expired atomic.Int64 // ns by which AWS's clock is ahead for credentials
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, env: map[string]string{}, section: Section{
		Role: "arn:aws:iam::" + awstest.Account + ":role/training", Image: "python:3.12", Bucket: bucket, Instances: []string{"ml.m5.xlarge", "ml.m5.2xlarge"},
		AWS: extension.AWS{Account: awstest.Account, Region: awstest.Region},
	}}
	l.Lab = awstest.Start(t, awstest.Config{Jobs: l.now, Clock: func() time.Time { return time.Now().Add(time.Duration(l.expired.Load())) }})
	l.AddBucket(awstest.Bucket{Name: bucket})
	awstest.As(t, l.AddUser("alice"))
	return l
}

func (l *lab) now() time.Time { return time.Now().Add(time.Duration(l.skew.Load())) }

func (l *lab) open() port.Jobs {
	return New(Config{Section: l.section, Clock: l.now, Interval: time.Millisecond, Options: session.Options{
		Client: l.Client, Backoff: func(int) time.Duration { return 0 },
		Lookup: func(name string) (string, bool) { v, ok := l.env[name]; return v, ok },
	}})
}

// shell is the container of tests.
func shell() awstest.Container {
	return awstest.Shell(unpacked, []string{"PATH=" + os.Getenv("PATH")})
}

func TestJobs_Conformance(t *testing.T) {
	porttest.TestJobsElsewhere(t, func(t *testing.T) func() port.Jobs {
		l := newLab(t)
		l.SetContainer(shell())
		t.Cleanup(func() {
			if err := l.Invalid(); err != nil {
				t.Errorf("AWS's models refuse: %v", err)
			}
		})
		return l.open
	})
}

// sample is a job with data and a model.
func (l *lab) sample(run string) port.Job {
	l.t.Helper()
	root := l.t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "train.py"), []byte("print('hi')\n"), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return port.Job{
		Name:    "20261124-101502-k3f9-train-1",
		Command: port.Command{Run: run, Dir: root, Env: []string{"TOKEN=s3cret"}, Timeout: time.Hour},
		Inputs:  map[string]port.Artifact{"checkout": port.FileArtifact("", root)},
		Outputs: map[string]string{"model": port.FileURI(filepath.Join(l.t.TempDir(), "model"))},
	}
}

func (l *lab) submit(j port.Jobs, job port.Job) port.JobHandle {
	l.t.Helper()
	h, err := j.Submit(l.t.Context(), job)
	if err != nil {
		l.t.Fatal(err)
	}
	return h
}

func (l *lab) poll(j port.Jobs, h port.JobHandle) port.JobState {
	l.t.Helper()
	s, err := j.Poll(l.t.Context(), h)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// awaitFailure polls until there is an error.
func (l *lab) awaitFailure(j port.Jobs, h port.JobHandle) (err error) {
	porttest.Await(l.t, "the job fails", func() bool { _, err = j.Poll(l.t.Context(), h); return err != nil })
	return err
}

// What slipway.yaml says is in the request, and no secret is.
func TestJobs_Request(t *testing.T) {
	l := newLab(t)
	l.section = Section{
		Role: l.section.Role, Image: "python:3.12", Bucket: bucket, Prefix: "ml/jobs", Instances: []string{"ml.g5.xlarge", "ml.g4dn.xlarge"}, Count: 2, Volume: 50,
		HyperParameters: map[string]string{"epochs": "3"}, Channels: map[string]string{"train": "s3://" + bucket + "/train/"}, Spot: true, Checkpoint: "s3://" + bucket + "/checkpoints/",
		MaxRuntime: 3600e9, MaxPending: 3600e9, KeepAlive: 600e9, VPC: &VPC{Subnets: []string{"subnet-1"}, SecurityGroups: []string{"sg-1"}}, KMS: "alias/slipway",
		Tags: map[string]string{"team": "retail"}, Metrics: map[string]string{"loss": "loss=([0-9.]+)"}, AWS: l.section.AWS,
	}
	h := l.submit(l.open(), l.sample("python train.py"))
	jobs := l.Jobs(awstest.TrainingJob)
	if err := l.Invalid(); err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	in := jobs[0].Input
	text := strings.Join(strings.Fields(sprint(in)), " ")
	for _, want := range []string{
		`"InstanceType":"ml.g4dn.xlarge"`, `"InstanceCount":2`, `"VolumeSizeInGB":50`, `"epochs":"3"`, `"ChannelName":"train"`, `"EnableManagedSpotTraining":true`,
		`"MaxWaitTimeInSeconds":7200`, `"MaxPendingTimeInSeconds":3600`, `"MaxRuntimeInSeconds":3600`, `"KeepAlivePeriodInSeconds":600`, `"subnet-1"`, `"sg-1"`,
		`"VolumeKmsKeyId":"alias/slipway"`, `"Value":"retail"`, `"Name":"loss"`, `s3://retail-artifacts/checkpoints/slipway-`, `"S3OutputPath":"s3://retail-artifacts/ml/jobs/jobs"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if strings.Contains(text, "s3cret") || strings.Contains(text, "TOKEN") {
		t.Errorf("everybody who may describe the job sees the command's variables: %s", text)
	}
	name, err := awsName(h)
	if err != nil || len(name) > 63 || jobs[0].Name != name {
		t.Errorf("name %q, %v", name, err)
	}
	for _, key := range l.Keys(bucket, "") {
		if o, _ := l.Object(bucket, key); o.KMSKey != "alias/slipway" {
			t.Errorf("%s is encrypted with %q", key, o.KMSKey)
		}
	}
}

// A process is killed at any call, and another machine goes on: one job.
func TestJobs_OneJobThroughLostResponsesAndRestarts(t *testing.T) {
	for lost := range 12 {
		l := newLab(t)
		l.SetLife(func(awstest.Job) awstest.Life { return awstest.Life{Model: map[string]string{"m": "x"}} })
		n := 0
		l.Inject(func(call *awstest.Call) awstest.Fault {
			if n++; n%12 == lost {
				return awstest.ResponseLost
			}
			return []awstest.Fault{awstest.NoFault, awstest.NoFault, awstest.NoFault, awstest.NoFault, awstest.Throttled}[n%5]
		})
		job := l.sample("true")
		for range 3 {
			j := l.open()
			h := l.submit(j, job)
			if s := porttest.AwaitJob(t, j, h); s.Exit.Code != 0 || s.Reason != "" {
				t.Errorf("%+v", s)
			}
		}
		if made := l.Count("sagemaker", "CreateTrainingJob"); made != 1 || len(l.Jobs(awstest.TrainingJob)) != 1 {
			t.Errorf("response %d lost: %d jobs", lost, made)
		}
	}
}

// A name that is free again since a person deleted the job is no job of ours; a job of
// that name that does something else is not taken for ours.
func TestJobs_NameIsNotContent(t *testing.T) {
	l := newLab(t)
	job := l.sample("true")
	h := l.submit(l.open(), job)
	name, err := awsName(h)
	if err != nil {
		t.Fatal(err)
	}
	other := job
	other.Command.Run = "false"
	if _, err := l.open().Submit(t.Context(), other); !fault.Is(err, fault.Conflict) {
		t.Errorf("%v", err)
	}
	l.DeleteJob(awstest.TrainingJob, name)
	l.submit(l.open(), other)
}
