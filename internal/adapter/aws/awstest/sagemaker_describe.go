package awstest

import (
	"maps"
	"strings"
	"time"
)

// logGroupOf is the group of a kind's logs.
func logGroupOf(kind string) string {
	if kind == ProcessingJob {
		return "/aws/sagemaker/ProcessingJobs"
	}
	return "/aws/sagemaker/TrainingJobs"
}

// jobOf finds the job that a request names, as it is now.
func (c *Cloud) jobOf(call *Call, kind string) (*Job, error) {
	var in jobInput
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	j := c.jobs[kind+"/"+in.TrainingJobName+in.ProcessingJobName]
	switch {
	case j == nil && kind == TrainingJob:
		return nil, refuse("ValidationException", "Requested resource not found.") // as AWS answers, whatever its model says
	case j == nil:
		return nil, refuse("ValidationException", "Could not find requested job with name: %s", in.ProcessingJobName)
	}
	c.age(j)
	return j, nil
}

// echoed are the members that a description has from the call that made the job.
func (j *Job) echoed(names string) map[string]any {
	out := map[string]any{}
	for name := range strings.FieldsSeq(names) {
		if v, ok := j.Input[name]; ok {
			out[name] = v
		}
	}
	return out
}

func (c *Cloud) describeTrainingJob(call *Call) (any, error) {
	j, err := c.jobOf(call, TrainingJob)
	if err != nil {
		return nil, err
	}
	out := j.echoed("AlgorithmSpecification RoleArn InputDataConfig OutputDataConfig ResourceConfig VpcConfig StoppingCondition HyperParameters Environment CheckpointConfig EnableManagedSpotTraining EnableNetworkIsolation EnableInterContainerTrafficEncryption RetryStrategy")
	out["TrainingJobName"], out["TrainingJobArn"] = j.Name, j.ARN
	out["TrainingJobStatus"], out["SecondaryStatus"], out["SecondaryStatusTransitions"] = j.Status, j.Secondary, j.history()
	out["CreationTime"], out["LastModifiedTime"] = j.Created.UTC(), c.jobClock().UTC()
	out["ModelArtifacts"] = map[string]string{"S3ModelArtifacts": j.modelURI()} // where it will be
	if resources, ok := out["ResourceConfig"].(map[string]any); ok && j.Instance != "" {
		selected := map[string]any{"SelectedInstanceType": j.Instance, "SelectedInstanceCount": j.Count}
		for name, value := range resources {
			selected[name] = value
		}
		out["ResourceConfig"] = selected
	}
	if !j.Started.IsZero() {
		out["TrainingStartTime"] = j.Started.UTC()
	}
	j.ends(out, "TrainingEndTime")
	if !j.Ended.IsZero() && !j.Started.IsZero() {
		seconds := max(int(j.Ended.Sub(j.Started)/time.Second), 1)
		out["TrainingTimeInSeconds"], out["BillableTimeInSeconds"] = seconds, seconds
	}
	return out, nil
}

// history copies the phases: the job goes on while the response is written.
func (j *Job) history() []map[string]any {
	all := make([]map[string]any, len(j.transitions))
	for i, t := range j.transitions {
		all[i] = maps.Clone(t)
	}
	return all
}

// ends adds how a job ended.
func (j *Job) ends(out map[string]any, endTime string) {
	if j.Reason != "" {
		out["FailureReason"] = j.Reason
	}
	if !j.Ended.IsZero() {
		out[endTime] = j.Ended.UTC()
	}
}

func (c *Cloud) describeProcessingJob(call *Call) (any, error) {
	j, err := c.jobOf(call, ProcessingJob)
	if err != nil {
		return nil, err
	}
	out := j.echoed("AppSpecification RoleArn ProcessingInputs ProcessingOutputConfig ProcessingResources StoppingCondition Environment NetworkConfig")
	out["ProcessingJobName"], out["ProcessingJobArn"], out["ProcessingJobStatus"] = j.Name, j.ARN, j.Status
	out["CreationTime"], out["LastModifiedTime"] = j.Created.UTC(), c.jobClock().UTC()
	if j.Message != "" {
		out["ExitMessage"] = j.Message
	}
	if !j.Started.IsZero() {
		out["ProcessingStartTime"] = j.Started.UTC()
	}
	j.ends(out, "ProcessingEndTime")
	return out, nil
}

func (c *Cloud) stopTrainingJob(call *Call) (any, error) { return c.stopJob(call, TrainingJob) }

func (c *Cloud) stopProcessingJob(call *Call) (any, error) { return c.stopJob(call, ProcessingJob) }

// stopJob sends SIGTERM; the job has two minutes to end.
func (c *Cloud) stopJob(call *Call, kind string) (any, error) {
	j, err := c.jobOf(call, kind)
	switch {
	case err != nil:
		return nil, err
	case !j.Ended.IsZero():
		return nil, refuse("ValidationException", "The request was rejected because the job is in status %s.", j.Status)
	case j.Status == "InProgress":
		c.stop(j, "Stopping")
	}
	return map[string]any{}, nil
}

func (c *Cloud) stop(j *Job, secondary string) {
	j.Status = "Stopping"
	c.enter(j, secondary)
	j.life.Lasts = c.jobClock().Sub(j.Created) // a job without a container ends at the next look
	close(j.stopping)
}
