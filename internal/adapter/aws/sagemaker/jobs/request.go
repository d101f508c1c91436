package jobs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/port"
)

// contentVariable is of the environment that SageMaker keeps with a job: the digest of
// what it does.
const contentVariable = "SLIPWAY_CONTENT"

// defaultVolume is the storage of an instance, in GB.
const defaultVolume = 30

// order is a job that is to be made.
type order struct {
	section  Section
	form     form
	job      port.Job
	name     string
	content  string
	runtime  time.Duration
	own      s3.Object            // the job's folder
	archives map[string]s3.Object // by input
}

func (o order) send(ctx context.Context, c *connection) (err error) {
	if o.form.training {
		_, err = jobsOf(c).CreateTrainingJob(ctx, o.training())
	} else {
		_, err = jobsOf(c).CreateProcessingJob(ctx, o.processing())
	}
	return err
}

// sources are the URIs of all inputs by their names: a prefix each.
func (o order) sources() map[string]string {
	all := map[string]string{ownInput: o.own.String() + "/run/"}
	for name, archive := range o.archives {
		all[name] = archive.String()
	}
	maps.Copy(all, o.section.Channels)
	return all
}

func seconds(d time.Duration) *int32 {
	if d <= 0 {
		return nil
	}
	return aws.Int32(int32(min((d + time.Second - 1).Seconds(), 28*24*3600)))
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func (o order) tags() []types.Tag {
	var tags []types.Tag
	for _, key := range slices.Sorted(maps.Keys(o.section.Tags)) {
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(o.section.Tags[key])})
	}
	return tags
}

func (o order) entrypoint() []string {
	return []string{"sh", o.form.inputs + "/" + ownInput + "/" + scriptFile}
}

func (o order) environment() map[string]string { return map[string]string{contentVariable: o.content} }

func (o order) count() int32  { return int32(max(o.section.Count, 1)) }
func (o order) volume() int32 { return int32(max(o.section.Volume, 0)) }

func (o order) training() *sagemaker.CreateTrainingJobInput {
	s := o.section
	volume := o.volume()
	if volume == 0 {
		volume = defaultVolume
	}
	in := &sagemaker.CreateTrainingJobInput{
		TrainingJobName: &o.name, RoleArn: &s.Role, Environment: o.environment(), HyperParameters: s.HyperParameters, Tags: o.tags(),
		AlgorithmSpecification: &types.AlgorithmSpecification{
			TrainingImage: &s.Image, TrainingInputMode: types.TrainingInputModeFile, ContainerEntrypoint: o.entrypoint(),
		},
		OutputDataConfig:  &types.OutputDataConfig{S3OutputPath: aws.String(strings.TrimSuffix(o.own.String(), "/"+o.name)), KmsKeyId: optional(s.KMS)},
		ResourceConfig:    &types.ResourceConfig{VolumeSizeInGB: &volume, VolumeKmsKeyId: optional(s.KMS), KeepAlivePeriodInSeconds: seconds(s.KeepAlive.D())},
		StoppingCondition: &types.StoppingCondition{MaxRuntimeInSeconds: seconds(o.runtime), MaxPendingTimeInSeconds: seconds(s.MaxPending.D())},
	}
	for _, name := range slices.Sorted(maps.Keys(s.Metrics)) {
		in.AlgorithmSpecification.MetricDefinitions = append(in.AlgorithmSpecification.MetricDefinitions, types.MetricDefinition{Name: aws.String(name), Regex: aws.String(s.Metrics[name])})
	}
	if len(s.Instances) == 1 {
		in.ResourceConfig.InstanceType, in.ResourceConfig.InstanceCount = types.TrainingInstanceType(s.Instances[0]), aws.Int32(o.count())
	} else {
		for _, t := range s.Instances {
			in.ResourceConfig.InstancePreferences = append(in.ResourceConfig.InstancePreferences, types.InstancePreference{InstanceType: types.TrainingInstanceType(t), InstanceCount: aws.Int32(o.count())})
		}
	}
	sources := o.sources()
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		in.InputDataConfig = append(in.InputDataConfig, types.Channel{ChannelName: aws.String(name), DataSource: &types.DataSource{
			S3DataSource: &types.S3DataSource{S3DataType: types.S3DataTypeS3Prefix, S3Uri: aws.String(sources[name]), S3DataDistributionType: types.S3DataDistributionFullyReplicated},
		}})
	}
	if s.VPC != nil {
		in.VpcConfig = &types.VpcConfig{Subnets: s.VPC.Subnets, SecurityGroupIds: s.VPC.SecurityGroups}
	}
	if s.Checkpoint != "" {
		in.CheckpointConfig = &types.CheckpointConfig{S3Uri: aws.String(strings.TrimSuffix(s.Checkpoint, "/") + "/" + o.name)}
	}
	if s.Spot {
		wait := s.MaxWait.D()
		if wait == 0 {
			wait = 2 * o.runtime
		}
		in.EnableManagedSpotTraining, in.StoppingCondition.MaxWaitTimeInSeconds = aws.Bool(true), seconds(wait)
	}
	return in
}

func (o order) processing() *sagemaker.CreateProcessingJobInput {
	s := o.section
	volume := o.volume()
	if volume == 0 {
		volume = defaultVolume
	}
	in := &sagemaker.CreateProcessingJobInput{
		ProcessingJobName: &o.name, RoleArn: &s.Role, Environment: o.environment(), Tags: o.tags(),
		AppSpecification: &types.AppSpecification{ImageUri: &s.Image, ContainerEntrypoint: o.entrypoint()},
		ProcessingResources: &types.ProcessingResources{ClusterConfig: &types.ProcessingClusterConfig{
			InstanceType: types.ProcessingInstanceType(s.Instances[0]), InstanceCount: aws.Int32(o.count()), VolumeSizeInGB: &volume, VolumeKmsKeyId: optional(s.KMS),
		}},
		StoppingCondition:      &types.ProcessingStoppingCondition{MaxRuntimeInSeconds: seconds(o.runtime)},
		ProcessingOutputConfig: &types.ProcessingOutputConfig{KmsKeyId: optional(s.KMS)},
	}
	sources := o.sources()
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		in.ProcessingInputs = append(in.ProcessingInputs, types.ProcessingInput{InputName: aws.String(name), S3Input: &types.ProcessingS3Input{
			S3Uri: aws.String(sources[name]), LocalPath: aws.String(o.form.inputs + "/" + name), S3DataType: types.ProcessingS3DataTypeS3Prefix, S3InputMode: types.ProcessingS3InputModeFile,
		}})
	}
	for _, name := range slices.Sorted(maps.Keys(o.job.Outputs)) {
		in.ProcessingOutputConfig.Outputs = append(in.ProcessingOutputConfig.Outputs, types.ProcessingOutput{OutputName: aws.String(name), S3Output: &types.ProcessingS3Output{
			S3Uri: aws.String(o.own.String() + "/output/" + name), LocalPath: aws.String(o.form.output(name)), S3UploadMode: types.ProcessingS3UploadModeEndOfJob,
		}})
	}
	if s.VPC != nil {
		in.NetworkConfig = &types.NetworkConfig{VpcConfig: &types.VpcConfig{Subnets: s.VPC.Subnets, SecurityGroupIds: s.VPC.SecurityGroups}}
	}
	return in
}
