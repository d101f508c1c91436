package jobs

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"github.com/aws/smithy-go"
)

// look is what SageMaker says of a job.
type look struct {
	exists    bool
	denied    bool   // beside an error: the role may not see jobs of this form
	status    string // of both kinds of jobs
	secondary string // of a training job
	reason    string // why it failed
	message   string // that a processing job left
	content   string
	artifact  string // URI of the model
	image     string
	instance  string
	count     int32
	billable  int32     // seconds
	begun     time.Time // when it got its instances; zero: not yet
	ended     time.Time
}

// The states of both kinds of jobs.
const (
	inProgress = "InProgress"
	completed  = "Completed"
	failed     = "Failed"
	stopping   = "Stopping"
	stopped    = "Stopped"
)

// maxRuntimeExceeded is the secondary state of a job that was stopped for that.
const maxRuntimeExceeded = "MaxRuntimeExceeded"

func (l look) isOver() bool { return l.status != inProgress }

// look asks for a job. One that does not exist is no error.
func (j *Jobs) look(ctx context.Context, c *connection, name string, f form) (look, error) {
	var l look
	var err error
	if f.training {
		l, err = lookAtTraining(ctx, c, name)
	} else {
		l, err = lookAtProcessing(ctx, c, name, j.clock())
	}
	if isAbsent(err) {
		return look{}, nil
	}
	l.denied = isNotAllowed(err)
	return l, c.session.Explain(ctx, "look up the job "+name, err)
}

// oneOf asks for a job that was submitted elsewhere, so that its form is not known. A role
// that may not see jobs of one form has made none of it: only a job that it may not see in
// any form is an error. do is called with each that exists, until it returns an error.
func oneOf(forms []form, ask func(form) (look, error), do func(form, look) error) error {
	var denied []error
	for _, f := range forms {
		l, err := ask(f)
		switch {
		case err != nil && l.denied:
			denied = append(denied, err)
		case err != nil:
			return err
		case l.exists:
			if err := do(f, l); err != nil {
				return err
			}
		}
	}
	if len(denied) == len(forms) {
		return denied[0]
	}
	return nil
}

func isNotAllowed(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "AccessDenied")
}

// isAbsent: SageMaker answers for a job that does not exist with an error that its model
// names, or with a ValidationException that is worded by the kind of the job.
func isAbsent(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	text := strings.ToLower(api.ErrorMessage())
	return api.ErrorCode() == "ResourceNotFound" || api.ErrorCode() == "ValidationException" && (strings.Contains(text, "not found") || strings.Contains(text, "could not find"))
}

func lookAtTraining(ctx context.Context, c *connection, name string) (look, error) {
	out, err := jobsOf(c).DescribeTrainingJob(ctx, &sagemaker.DescribeTrainingJobInput{TrainingJobName: &name})
	if err != nil {
		return look{}, err
	}
	l := look{
		exists: true, status: string(out.TrainingJobStatus), secondary: string(out.SecondaryStatus), reason: aws.ToString(out.FailureReason),
		content: out.Environment[contentVariable], billable: aws.ToInt32(out.BillableTimeInSeconds),
		begun: aws.ToTime(out.TrainingStartTime), ended: aws.ToTime(out.TrainingEndTime),
	}
	if a := out.AlgorithmSpecification; a != nil {
		l.image = aws.ToString(a.TrainingImage)
	}
	if m := out.ModelArtifacts; m != nil {
		l.artifact = aws.ToString(m.S3ModelArtifacts)
	}
	if r := out.ResourceConfig; r != nil {
		l.instance, l.count = string(r.SelectedInstanceType), aws.ToInt32(r.SelectedInstanceCount)
		if l.instance == "" {
			l.instance, l.count = string(r.InstanceType), aws.ToInt32(r.InstanceCount)
		}
	}
	if out.TrainingJobStatus == types.TrainingJobStatusDeleting { // its name will be free
		return look{}, nil
	}
	return l, nil
}

func lookAtProcessing(ctx context.Context, c *connection, name string, now time.Time) (look, error) {
	out, err := jobsOf(c).DescribeProcessingJob(ctx, &sagemaker.DescribeProcessingJobInput{ProcessingJobName: &name})
	if err != nil {
		return look{}, err
	}
	l := look{
		exists: true, status: string(out.ProcessingJobStatus), reason: aws.ToString(out.FailureReason), message: aws.ToString(out.ExitMessage),
		content: out.Environment[contentVariable], begun: aws.ToTime(out.ProcessingStartTime), ended: aws.ToTime(out.ProcessingEndTime),
	}
	if a := out.AppSpecification; a != nil {
		l.image = aws.ToString(a.ImageUri)
	}
	if s := out.StoppingCondition; s != nil && (l.status == stopping || l.status == stopped) && l.ranAll(time.Duration(aws.ToInt32(s.MaxRuntimeInSeconds))*time.Second, now) {
		l.secondary = maxRuntimeExceeded // a processing job does not say why it was stopped
	}
	if r := out.ProcessingResources; r != nil && r.ClusterConfig != nil {
		l.instance, l.count = string(r.ClusterConfig.InstanceType), aws.ToInt32(r.ClusterConfig.InstanceCount)
	}
	return l, nil
}

// maxClockSkew is how much this machine's clock may be behind AWS's.
const maxClockSkew = 5 * time.Second

// ranAll reports whether a job has had all its time, as far as the clocks tell: AWS rounds
// its times, and while a job is stopping, its end is this machine's time.
func (l look) ranAll(limit time.Duration, now time.Time) bool {
	return l.ranFor(now) >= limit-min(maxClockSkew, limit/10)
}

// ranFor is for how long a job has had its instances.
func (l look) ranFor(now time.Time) time.Duration {
	switch {
	case l.begun.IsZero():
		return 0
	case l.ended.IsZero():
		return now.Sub(l.begun)
	}
	return l.ended.Sub(l.begun)
}
