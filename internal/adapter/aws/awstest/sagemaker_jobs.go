package awstest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// The kinds of jobs of SageMaker, as in their ARNs.
const (
	TrainingJob   = "training-job"
	ProcessingJob = "processing-job"
)

// Life is what becomes of a job that runs no Container.
type Life struct {
	Lasts time.Duration     // from its creation to its end by AWS's clock; 0: it has ended when it is first looked at
	Fail  string            // FailureReason; empty: it completes
	Lines []string          // of its log
	Model map[string]string // files of its model.tar.gz, by name
}

// Job is a training or a processing job of SageMaker.
type Job struct {
	Name, Kind, ARN string
	Input           map[string]any // of the call that made it
	Environment     map[string]string
	HyperParameters map[string]string

	Status, Secondary, Reason, Message string
	Instance                           string // the type that was selected
	Count                              int
	Created, Started, Ended            time.Time

	life        Life
	transitions []map[string]any
	stopping    chan struct{} // closed when the job is told to stop
	done        chan struct{} // closed when its container has ended; nil: it has a life only
}

// SetLife makes life decide what becomes of jobs from now on; nil is a job that
// completes at once.
func (c *Cloud) SetLife(life func(Job) Life) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life = life
}

// SetCapacity makes instances of a type unavailable, or available again.
func (c *Cloud) SetCapacity(instance string, available bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missing[instance] = !available
}

// SetQuota limits how many instances of a type training jobs may use at a time.
func (c *Cloud) SetQuota(instance string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quotas[instance] = n
}

// DenyAction makes AWS deny an action that comes with another call, such as
// "sagemaker:AddTags" for a job with tags.
func (c *Cloud) DenyAction(action string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denied[action] = true
}

// Jobs returns the jobs of a kind, the oldest first.
func (c *Cloud) Jobs(kind string) []Job {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Job
	for _, j := range c.jobs {
		if j.Kind == kind {
			c.age(j)
			all = append(all, *j)
		}
	}
	slices.SortFunc(all, func(a, b Job) int { return a.Created.Compare(b.Created) })
	return all
}

// DeleteJob removes a job that has ended, as a person may: its name is free again.
func (c *Cloud) DeleteJob(kind, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.jobs, kind+"/"+name)
	delete(c.tags, c.arn("sagemaker", kind+"/"+name))
}

func (c *Cloud) sagemakerJobs() map[string]handler {
	return map[string]handler{
		"CreateTrainingJob": c.createTrainingJob, "DescribeTrainingJob": c.describeTrainingJob, "StopTrainingJob": c.stopTrainingJob,
		"CreateProcessingJob": c.createProcessingJob, "DescribeProcessingJob": c.describeProcessingJob, "StopProcessingJob": c.stopProcessingJob,
	}
}

// jobInput are the members of requests about jobs that decide something.
type jobInput struct {
	TrainingJobName, ProcessingJobName string
	Environment, HyperParameters       map[string]string
	EnableManagedSpotTraining          bool
	CheckpointConfig                   *struct{}
	ResourceConfig                     cluster
	ProcessingResources                struct{ ClusterConfig cluster }
	StoppingCondition                  struct{ MaxRuntimeInSeconds, MaxWaitTimeInSeconds int }
	Tags                               []tag
}

type cluster struct {
	InstanceType        string
	InstanceCount       int
	InstancePreferences []struct {
		InstanceType  string
		InstanceCount int
	}
}

// types are the instance types in the order in which they are tried.
func (c cluster) types() []string {
	if c.InstanceType != "" {
		return []string{c.InstanceType}
	}
	var all []string
	for _, p := range c.InstancePreferences {
		all = append(all, p.InstanceType)
	}
	return all
}

func (c cluster) count() int {
	if c.InstanceType == "" && len(c.InstancePreferences) > 0 && c.InstancePreferences[0].InstanceCount > 0 {
		return c.InstancePreferences[0].InstanceCount
	}
	return max(c.InstanceCount, 1)
}

func (c *Cloud) createTrainingJob(call *Call) (any, error) {
	var in jobInput
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	var spec struct {
		AlgorithmSpecification struct{ TrainingImage string }
	}
	if err := call.Into(&spec); err != nil {
		return nil, err
	}
	if err := c.checkContainer(map[string]any{"Image": spec.AlgorithmSpecification.TrainingImage}); err != nil {
		return nil, err
	}
	stop := in.StoppingCondition
	switch {
	case stop.MaxWaitTimeInSeconds > 0 && !in.EnableManagedSpotTraining:
		return nil, refuse("ValidationException", "MaxWaitTimeInSeconds above 0 is not supported when EnableManagedSpotTraining is false")
	case in.EnableManagedSpotTraining && stop.MaxWaitTimeInSeconds < stop.MaxRuntimeInSeconds:
		return nil, refuse("ValidationException", "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds")
	}
	j, err := c.createJob(call, in, TrainingJob, in.TrainingJobName, in.ResourceConfig)
	if err != nil {
		return nil, err
	}
	return map[string]string{"TrainingJobArn": j.ARN}, nil
}

func (c *Cloud) createProcessingJob(call *Call) (any, error) {
	var in jobInput
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	j, err := c.createJob(call, in, ProcessingJob, in.ProcessingJobName, in.ProcessingResources.ClusterConfig)
	if err != nil {
		return nil, err
	}
	return map[string]string{"ProcessingJobArn": j.ARN}, nil
}

func (c *Cloud) createJob(call *Call, in jobInput, kind, name string, on cluster) (*Job, error) {
	types, arn := on.types(), c.arn("sagemaker", kind+"/"+name)
	switch {
	case (len(on.InstancePreferences) > 0) == (on.InstanceType != ""):
		return nil, refuse("ValidationException", "a job has either InstanceType or InstancePreferences")
	case len(in.Tags) > 0 && c.denied["sagemaker:AddTags"]:
		return nil, deniedCall(call, "sagemaker:AddTags", arn)
	case c.denied["iam:PassRole"]:
		role, _ := call.Input["RoleArn"].(string)
		return nil, deniedCall(call, "iam:PassRole", role)
	case !c.servicesTrusted(call.text("RoleArn"), "sagemaker.amazonaws.com"):
		return nil, refuse("ValidationException", "Could not assume role %s. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com' to assume the role.", call.text("RoleArn"))
	case c.jobs[kind+"/"+name] != nil:
		return nil, refuse("ResourceInUse", "Job name must be unique within an AWS account and region, and a job with this name already exists (%s)", arn)
	}
	if limit, limited := c.quotas[types[0]]; limited && c.inUse(types[0])+on.count() > limit {
		return nil, refuse("ResourceLimitExceeded", "The account-level service limit '%s for training job usage' is %d Instances, with current utilization of %d Instances and a request delta of %d Instances. Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an increase for this quota.", types[0], limit, c.inUse(types[0]), on.count())
	}
	if err := c.addTags(arn, in.Tags); err != nil {
		return nil, err
	}
	j := &Job{
		Name: name, Kind: kind, ARN: arn, Input: call.Input, Environment: in.Environment, HyperParameters: in.HyperParameters,
		Status: "InProgress", Count: on.count(), Created: c.jobClock(), stopping: make(chan struct{}),
	}
	c.jobs[kind+"/"+name] = j
	c.enter(j, "Starting")
	i := slices.IndexFunc(types, func(t string) bool { return !c.missing[t] })
	if i < 0 {
		c.end(j, "Failed", "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type.")
		return j, nil
	}
	j.Instance = types[i]
	if c.container != nil {
		j.done = make(chan struct{})
		go c.run(j, c.container)
	} else if c.life != nil {
		j.life = c.life(*j)
	}
	return j, nil
}

func deniedCall(call *Call, action, resource string) error {
	return &Error{Code: "AccessDeniedException", Status: http.StatusBadRequest, Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action", call.Principal.ARN, action, resource, action)}
}

// inUse counts the instances of a type in running jobs.
func (c *Cloud) inUse(instance string) (n int) {
	for _, j := range c.jobs {
		if j.Instance == instance && j.Ended.IsZero() {
			n += j.Count
		}
	}
	return n
}

// enter begins a phase of a job.
func (c *Cloud) enter(j *Job, secondary string) {
	now := c.jobClock().UTC()
	if n := len(j.transitions); n > 0 {
		j.transitions[n-1]["EndTime"] = now
	}
	j.Secondary = secondary
	j.transitions = append(j.transitions, map[string]any{"Status": secondary, "StartTime": now, "StatusMessage": secondary})
	if secondary == "Training" {
		j.Started = c.jobClock()
	}
}

func (c *Cloud) end(j *Job, status, reason string) {
	c.enter(j, status)
	j.Status, j.Reason, j.Ended = status, reason, c.jobClock()
}

// age ends a job without a container whose time has come, and stops one that has run
// for too long.
func (c *Cloud) age(j *Job) {
	if !j.Ended.IsZero() || j.done != nil {
		return
	}
	if j.Secondary == "Starting" {
		c.enter(j, "Training")
		c.log(logGroupOf(j.Kind), j.Name+"/algo-1-1", j.life.Lines...)
	}
	if c.jobClock().Sub(j.Created) < j.life.Lasts {
		return
	}
	switch {
	case j.Status == "Stopping":
		c.end(j, "Stopped", "")
	case j.life.Fail != "":
		c.end(j, "Failed", j.life.Fail)
	default:
		c.enter(j, "Uploading")
		if err := c.storeModel(j, j.life.Model); err != nil {
			c.end(j, "Failed", err.Error())
			return
		}
		c.end(j, "Completed", "")
	}
}
