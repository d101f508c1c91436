package catalog_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/adapter/aws/sagemaker/jobs"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/digest"
	"github.com/slipway-cd/slipway/internal/step/train"
)

// trainer trains with what is in a bucket, here or on SageMaker.
type trainer struct {
	t    *testing.T
	lab  *awstest.Lab
	step train.Step
	r    step.Request
	w    step.TrainParams
}

func newTrainer(t *testing.T, bucket awstest.Bucket) *trainer {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("slipway"))
	bucket.Name = "retail-ml"
	l.AddBucket(bucket)
	at, o := extension.AWS{Account: awstest.Account, Region: awstest.Region}, session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }}
	root := t.TempDir()
	store := s3.NewDatasets(at, o)
	there := jobs.New(jobs.Config{Interval: time.Millisecond, Options: o, Section: jobs.Section{
		Role: "arn:aws:iam::" + awstest.Account + ":role/training", Image: "python:3.12", Bucket: "retail-ml", Instances: []string{"ml.m5.xlarge"}, AWS: at,
	}})
	l.SetLife(func(awstest.Job) awstest.Life { return awstest.Life{Model: map[string]string{"m": "x"}} })
	x := &trainer{t: t, lab: l, w: step.TrainParams{Run: "cat {{.Data}} > {{.Output}}/model"}}
	x.step = train.Step{
		Jobs: &fake.Jobs{Commands: fake.Shell{}, Logs: root}, JobsOn: func(step.RunnerParams) (port.Jobs, error) { return there, nil },
		Datasets: func(delivery.Location) (port.Datasets, error) { return store, nil },
		Environ:  func() []string { return []string{"PATH=" + os.Getenv("PATH")} },
	}
	x.r = step.Request{
		Run: "20260102-030405-abcd", Attempt: 1, WorkDir: filepath.Join(root, "work"), ArtifactsDir: filepath.Join(root, "artifacts"), Log: io.Discard,
		Spec: step.Spec{Name: "train", Kind: step.Train, Inputs: fake.Digest(5)}, Checkout: func(context.Context) (string, error) { return root, nil },
	}
	return x
}

func (x *trainer) put(key, text string) string {
	x.t.Helper()
	version, err := x.lab.PutObject("retail-ml", key, []byte(text))
	if err != nil {
		x.t.Fatal(err)
	}
	return version
}

// plan pins the data, as planning does.
func (x *trainer) plan(uri string) {
	x.t.Helper()
	store, err := x.step.Datasets(delivery.Location{})
	if err != nil {
		x.t.Fatal(err)
	}
	d, err := store.Pin(x.t.Context(), uri)
	if err != nil {
		x.t.Fatal(err)
	}
	x.w.Data, x.w.Datasets, x.w.DataDigest = []string{uri}, []delivery.Dataset{d}, digest.Joint("", []delivery.Dataset{d})
}

func (x *trainer) train() (step.TrainOutput, error) {
	x.t.Helper()
	raw, err := json.Marshal(x.w)
	if err != nil {
		x.t.Fatal(err)
	}
	x.r.Spec.Params = raw
	res, err := x.step.Run(x.t.Context(), x.r)
	if err != nil {
		return step.TrainOutput{}, err
	}
	var out step.TrainOutput
	if err := json.Unmarshal(res.Output, &out); err != nil || res.Outcome != delivery.OutcomeSucceeded {
		x.t.Fatalf("outcome = %s (%q), %v", res.Outcome, res.Cause, err)
	}
	return out, nil
}

// A model is trained with the version that the plan pinned, and its lineage has it, with
// the SHA-256 of what was read.
func TestTrain_PinnedDataset(t *testing.T) {
	x := newTrainer(t, awstest.Bucket{})
	version := x.put("train/a.csv", "1,2\n")
	x.plan("s3://retail-ml/train/a.csv")
	x.put("train/a.csv", "9,9\n") // between plan and training
	out, err := x.train()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out.Dir, "model"))
	if err != nil || string(text) != "1,2\n" {
		t.Errorf("trained with %q, %v", text, err)
	}
	if len(out.Datasets) != 1 || out.Datasets[0].Version != version || out.Datasets[0].Content != delivery.DigestOf([]byte("1,2\n")) || out.Data != x.w.DataDigest {
		t.Errorf("lineage %+v, want version %s", out.Datasets, version)
	}
}

// Without versions, data that moved is noticed, and no model is made of it.
func TestTrain_MovedDataset(t *testing.T) {
	x := newTrainer(t, awstest.Bucket{Unversioned: true})
	x.put("train/a.csv", "1,2\n")
	x.plan("s3://retail-ml/train/")
	x.put("train/a.csv", "9,9\n")
	if _, err := x.train(); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "changed since the plan was made") {
		t.Errorf("error = %v, want %s", err, fault.Conflict)
	}
}

// A job of SageMaker reads a copy under the digest of its content: its channels pin
// nothing.
func TestTrain_PinnedDatasetOnSageMaker(t *testing.T) {
	x := newTrainer(t, awstest.Bucket{})
	x.put("train/a.csv", "1,2\n")
	x.plan("s3://retail-ml/train/a.csv")
	x.put("train/a.csv", "9,9\n")
	x.w.On = &step.RunnerParams{Kind: "sagemaker", Remote: true}
	out, err := x.train()
	if err != nil || out.Datasets[0].Content != delivery.DigestOf([]byte("1,2\n")) {
		t.Fatalf("%+v, %v", out, err)
	}
	job := x.lab.Jobs(awstest.TrainingJob)[0]
	channel := ""
	channels, _ := job.Input["InputDataConfig"].([]any)
	for _, c := range channels {
		fields, _ := c.(map[string]any)
		if fields["ChannelName"] == "data" {
			raw, _ := json.Marshal(fields["DataSource"])
			channel = string(raw)
		}
	}
	found := false
	for _, key := range x.lab.Keys("retail-ml", "slipway/inputs/sha256/") {
		o, _ := x.lab.Object("retail-ml", key)
		if strings.Contains(channel, key) {
			found = strings.Contains(unpacked(t, o.Body), "1,2\n") && strings.HasSuffix(key, delivery.DigestOf(o.Body).Hex()+".tar.gz")
		}
	}
	if !found {
		t.Errorf("the channel %s is no copy of what was pinned under its digest", channel)
	}
}

func unpacked(t *testing.T, archive []byte) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for files := tar.NewReader(z); ; {
		if _, err := files.Next(); err != nil {
			return all.String()
		}
		if _, err := io.Copy(&all, files); err != nil {
			t.Fatal(err)
		}
	}
}
