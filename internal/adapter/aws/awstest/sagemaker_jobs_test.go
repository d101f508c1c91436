package awstest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

func trainingJob(name string) *sagemaker.CreateTrainingJobInput {
	return &sagemaker.CreateTrainingJobInput{
		TrainingJobName: &name, RoleArn: aws.String("arn:aws:iam::" + awstest.Account + ":role/training"),
		AlgorithmSpecification: &types.AlgorithmSpecification{TrainingImage: aws.String("python:3.12"), TrainingInputMode: types.TrainingInputModeFile},
		InputDataConfig: []types.Channel{{ChannelName: aws.String("data"), DataSource: &types.DataSource{S3DataSource: &types.S3DataSource{
			S3DataType: types.S3DataTypeS3Prefix, S3Uri: aws.String("s3://" + bucketName + "/data/"),
		}}}},
		OutputDataConfig:  &types.OutputDataConfig{S3OutputPath: aws.String("s3://" + bucketName + "/out/")},
		ResourceConfig:    &types.ResourceConfig{VolumeSizeInGB: aws.Int32(10), InstancePreferences: []types.InstancePreference{{InstanceType: types.TrainingInstanceTypeMlM5Xlarge, InstanceCount: aws.Int32(1)}, {InstanceType: types.TrainingInstanceTypeMlM52xlarge, InstanceCount: aws.Int32(1)}}},
		StoppingCondition: &types.StoppingCondition{MaxRuntimeInSeconds: aws.Int32(3600)},
		HyperParameters:   map[string]string{"epochs": "2"},
	}
}

func (l *lab) describe(t *testing.T, name string) *sagemaker.DescribeTrainingJobOutput {
	t.Helper()
	out, err := sagemaker.NewFromConfig(l.config).DescribeTrainingJob(t.Context(), &sagemaker.DescribeTrainingJobInput{TrainingJobName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A job without a container lives by AWS's clock.
func TestJobs_Lives(t *testing.T) {
	now := time.Now()
	l := &lab{Lab: awstest.Start(t, awstest.Config{Jobs: func() time.Time { return now }})}
	l.config = aws.Config{Region: awstest.Region, HTTPClient: l.Client, Retryer: func() aws.Retryer { return aws.NopRetryer{} }}
	l.as(l.AddUser("alice"))
	l.AddBucket(awstest.Bucket{Name: bucketName})
	client := sagemaker.NewFromConfig(l.config)
	l.SetLife(func(awstest.Job) awstest.Life {
		return awstest.Life{Lasts: 3 * time.Hour, Model: map[string]string{"m": "x"}, Lines: []string{"epoch 1"}}
	})
	for _, want := range []string{"", "ResourceInUse"} {
		_, err := client.CreateTrainingJob(t.Context(), trainingJob("a"))
		if want != "" {
			wantError(t, err, want)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if j := l.describe(t, "a"); j.TrainingJobStatus != types.TrainingJobStatusInProgress || j.SecondaryStatus != types.SecondaryStatusTraining || j.ResourceConfig.SelectedInstanceType != types.TrainingInstanceTypeMlM5Xlarge {
		t.Errorf("%+v", j)
	}
	if lines := l.LogLines("/aws/sagemaker/TrainingJobs", "a/algo-1-1"); len(lines) != 1 {
		t.Errorf("log %q", lines)
	}
	now = now.Add(4 * time.Hour)
	if j := l.describe(t, "a"); j.TrainingJobStatus != types.TrainingJobStatusCompleted || aws.ToInt32(j.BillableTimeInSeconds) != 4*3600 || *j.ModelArtifacts.S3ModelArtifacts != "s3://"+bucketName+"/out/a/output/model.tar.gz" {
		t.Errorf("%+v", j)
	}
	if _, ok := l.Object(bucketName, "out/a/output/model.tar.gz"); !ok {
		t.Error("no model")
	}
	l.DeleteJob(awstest.TrainingJob, "a")
	if _, err := client.CreateTrainingJob(t.Context(), trainingJob("a")); err != nil {
		t.Errorf("a deleted name is not free: %v", err)
	}
	_, err := client.DescribeTrainingJob(t.Context(), &sagemaker.DescribeTrainingJobInput{TrainingJobName: aws.String("absent")})
	wantError(t, err, "ValidationException")
	if err := l.Invalid(); err != nil && !strings.Contains(err.Error(), "absent") {
		t.Error(err)
	}
}

func TestJobs_Refusals(t *testing.T) {
	l, _ := newBucket(t)
	client := sagemaker.NewFromConfig(l.config)
	for _, tt := range []struct {
		name, code, text string
		change           func(*sagemaker.CreateTrainingJobInput)
	}{
		{"wait-without-spot", "ValidationException", "EnableManagedSpotTraining", func(in *sagemaker.CreateTrainingJobInput) {
			in.StoppingCondition.MaxWaitTimeInSeconds = aws.Int32(7200)
		}},
		{"spot-without-wait", "ValidationException", "MaxWaitTimeInSeconds", func(in *sagemaker.CreateTrainingJobInput) { in.EnableManagedSpotTraining = aws.Bool(true) }},
		{"two-resources", "ValidationException", "InstancePreferences", func(in *sagemaker.CreateTrainingJobInput) {
			in.ResourceConfig.InstanceType = types.TrainingInstanceTypeMlM5Xlarge
		}},
		{"tags", "AccessDeniedException", "sagemaker:AddTags", func(in *sagemaker.CreateTrainingJobInput) {
			l.DenyAction("sagemaker:AddTags")
			in.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
		}},
		{"quota", "ResourceLimitExceeded", "'ml.m5.xlarge for training job usage' is 0 Instances", func(*sagemaker.CreateTrainingJobInput) { l.SetQuota("ml.m5.xlarge", 0) }},
	} {
		in := trainingJob(tt.name)
		tt.change(in)
		_, err := client.CreateTrainingJob(t.Context(), in)
		wantError(t, err, tt.code)
		if err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Capacity is looked for in the order of the preferences.
func TestJobs_Capacity(t *testing.T) {
	l, _ := newBucket(t)
	client := sagemaker.NewFromConfig(l.config)
	l.SetCapacity("ml.m5.xlarge", false)
	if _, err := client.CreateTrainingJob(t.Context(), trainingJob("second")); err != nil {
		t.Fatal(err)
	}
	if j := l.describe(t, "second"); j.ResourceConfig.SelectedInstanceType != types.TrainingInstanceTypeMlM52xlarge || j.TrainingJobStatus != types.TrainingJobStatusCompleted {
		t.Errorf("%+v", j.ResourceConfig)
	}
	l.SetCapacity("ml.m5.2xlarge", false)
	if _, err := client.CreateTrainingJob(t.Context(), trainingJob("none")); err != nil {
		t.Fatal(err)
	}
	if j := l.describe(t, "none"); j.TrainingJobStatus != types.TrainingJobStatusFailed || !strings.HasPrefix(*j.FailureReason, "CapacityError") {
		t.Errorf("%+v", j)
	}
}

// A function of the test is what the image would be: it reads the channels and writes the
// model.
func TestJobs_Container(t *testing.T) {
	l, _ := newBucket(t)
	if _, err := l.PutObject(bucketName, "data/sub/a.csv", []byte("1,2")); err != nil {
		t.Fatal(err)
	}
	client := sagemaker.NewFromConfig(l.config)
	stopped := make(chan struct{})
	l.SetContainer(func(r *awstest.Running) int {
		r.Print("container of " + r.Job.Name)
		switch r.Job.Name {
		case "fails":
			_ = os.MkdirAll(filepath.Join(r.Root, "output"), 0o755)
			_ = os.WriteFile(filepath.Join(r.Root, "output", "failure"), []byte("no such column"), 0o644)
			return 3
		case "stops":
			<-r.Stopping
			close(stopped)
			return 143
		}
		text, err := os.ReadFile(filepath.Join(r.Root, "input/data/data/sub/a.csv"))
		if err != nil || os.WriteFile(filepath.Join(r.Root, "model", "m"), text, 0o644) != nil {
			return 1
		}
		return 0
	})
	for name, want := range map[string]types.TrainingJobStatus{"works": types.TrainingJobStatusCompleted, "fails": types.TrainingJobStatusFailed, "stops": types.TrainingJobStatusStopped} {
		if _, err := client.CreateTrainingJob(t.Context(), trainingJob(name)); err != nil {
			t.Fatal(err)
		}
		if name == "stops" {
			if _, err := client.StopTrainingJob(t.Context(), &sagemaker.StopTrainingJobInput{TrainingJobName: &name}); err != nil {
				t.Fatal(err)
			}
		}
		var j *sagemaker.DescribeTrainingJobOutput
		for until := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if j = l.describe(t, name); j.TrainingJobStatus == want || time.Now().After(until) {
				break
			}
		}
		if j.TrainingJobStatus != want {
			t.Errorf("%s: %s, %s", name, j.TrainingJobStatus, aws.ToString(j.FailureReason))
		}
		if name == "fails" && aws.ToString(j.FailureReason) != "AlgorithmError: no such column, exit code: 3" {
			t.Errorf("reason %q", aws.ToString(j.FailureReason))
		}
	}
	if o, ok := l.Object(bucketName, "out/works/output/model.tar.gz"); !ok || len(o.Body) == 0 {
		t.Error("no model")
	}
}
