package opinion_test

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/ecr"
	"github.com/slipway-cd/slipway/internal/adapter/aws/sagemaker/jobs"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// The names of the jobs in Slipway, and in SageMaker: jobs.awsName.
const (
	trainingJob    = "20261130-101502-k3f9-train-1"
	processingJob  = "20261130-101502-k3f9-evaluate-1"
	trainingName   = "slipway-20261130-101502-k3f9-train-1-d6693576"
	processingName = "slipway-20261130-101502-k3f9-evaluate-1-eb0e442d"
)

func (w *world) jobs() *jobs.Jobs {
	return jobs.New(jobs.Config{Options: w.options(), Interval: time.Millisecond, Section: jobs.Section{
		Role: "arn:aws:iam::" + awstest.Account + ":role/training", Image: "python:3.12", Bucket: bucket, Instances: []string{"ml.m5.xlarge"},
		Tags: map[string]string{"team": "retail"}, AWS: w.at(),
	}})
}

// run submits a job, looks at it once, reads its log and stops it.
func (w *world) run(ctx context.Context, name string) error {
	root := w.t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "train.py"), []byte("print('hi')\n"), 0o600); err != nil {
		return err
	}
	output := map[string]string{trainingJob: "model", processingJob: "report"}[name]
	job := port.Job{
		Name: name, Command: port.Command{Run: "python train.py", Dir: root, Timeout: time.Hour},
		Inputs:  map[string]port.Artifact{"checkout": port.FileArtifact("", root)},
		Outputs: map[string]string{output: port.FileURI(filepath.Join(w.t.TempDir(), output))},
	}
	j := w.jobs()
	h, err := j.Submit(ctx, job)
	if err != nil {
		return err
	}
	if _, err := j.Poll(ctx, h); err != nil {
		w.t.Logf("poll: %v", err) // its output is missing, where it has ended
	}
	return j.Stop(ctx, h)
}

// stopTraining stops a job whatever its state, as Slipway does one that runs.
func stopTraining(ctx context.Context, w *world) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	_, err = sagemaker.NewFromConfig(s.Config).StopTrainingJob(ctx, &sagemaker.StopTrainingJobInput{TrainingJobName: aws.String(trainingName)})
	return err
}

func stopProcessing(ctx context.Context, w *world) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	_, err = sagemaker.NewFromConfig(s.Config).StopProcessingJob(ctx, &sagemaker.StopProcessingJobInput{ProcessingJobName: aws.String(processingName)})
	return err
}

// readLog reads the log of the training job, which another program's AWS has without the
// job, as Slipway does.
func readLog(ctx context.Context, w *world) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	client, group := cloudwatchlogs.NewFromConfig(s.Config), aws.String("/aws/sagemaker/TrainingJobs")
	if _, err := client.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group, LogStreamNamePrefix: aws.String(trainingName + "/"), Limit: aws.Int32(50)}); err != nil {
		return err
	}
	_, err = client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: aws.String(trainingName + "/algo-1-1"), StartFromHead: aws.Bool(true)})
	return err
}

// pusher puts images into the repository by the control plane.
type pusher struct {
	port.ImageStore
	w    *world
	path string
}

// Push implements port.ImageStore.
func (p pusher) Push(ctx context.Context, layout string, img delivery.Image, _ string, _ port.Progress) (delivery.Image, error) {
	images, err := ocilayout.Layout(layout).Images(img.Digest)
	if err != nil {
		return img, err
	}
	s, err := p.w.open(ctx)
	if err != nil {
		return img, err
	}
	for _, image := range images {
		if p.w.fake != nil {
			p.w.fake.PutImage(p.path, awstest.Image{Digest: string(image.Descriptor.Digest), MediaType: image.Descriptor.MediaType})
			continue
		}
		text, err := os.ReadFile(filepath.Join(layout, "blobs", "sha256", image.Descriptor.Digest.Hex()))
		if err != nil {
			return img, err
		}
		if _, err := awsecr.NewFromConfig(s.Config).PutImage(ctx, &awsecr.PutImageInput{
			RepositoryName: &p.path, ImageManifest: aws.String(string(text)), ImageManifestMediaType: aws.String(image.Descriptor.MediaType),
		}); err != nil {
			return img, err
		}
	}
	return img, nil
}

// scan uploads an image to a repository, and reads what ECR found in it.
func scan(path string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		built := porttest.WriteLayout(w.t, w.t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "app", Body: "x", Mode: 0o755}})
		scanner := ecr.NewScanner(ecr.ScannerConfig{Images: pusher{w: w, path: path}, Options: w.options(), Interval: 50 * time.Millisecond, Within: time.Second})
		_, err := scanner.Scan(ctx, port.ScanRequest{Layout: built.Layout, Image: delivery.Image{Repository: w.host() + "/" + path, Digest: built.Digest}})
		return err
	}
}
