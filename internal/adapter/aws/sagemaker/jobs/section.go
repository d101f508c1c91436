package jobs

import (
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

// Section is on.sagemaker in slipway.yaml.
type Section struct {
	Role            string            `yaml:"role" json:"role" jsonschema:"required" jsonschema_description:"ARN of the execution role: what the job may do. Slipway's own role needs iam:PassRole on it."`
	Assume          string            `yaml:"assume" json:"assume,omitempty" jsonschema_description:"ARN of the role by which Slipway makes jobs: it is assumed from the credentials, or by the OIDC token of a job of GitHub Actions. Default: the credentials as they are."`
	Image           string            `yaml:"image" json:"image" jsonschema:"required" jsonschema_description:"Image in which the command runs, with sh and tar: yours in ECR, or a framework container of AWS."`
	Instances       []string          `yaml:"instances" json:"instances" jsonschema:"required,minItems=1,maxItems=5" jsonschema_description:"Instance types, the preferred one first: the others are taken where it has no capacity."`
	Bucket          string            `yaml:"bucket" json:"bucket" jsonschema:"required" jsonschema_description:"S3 bucket for what jobs read and write, in the same region."`
	Prefix          string            `yaml:"prefix" json:"prefix,omitempty" jsonschema_description:"Folder in the bucket. Default slipway."`
	Count           int               `yaml:"count" json:"count,omitempty" jsonschema:"minimum=1,maximum=100" jsonschema_description:"Number of instances. Default 1."`
	Volume          int               `yaml:"volume" json:"volume,omitempty" jsonschema:"minimum=1,maximum=16384" jsonschema_description:"Storage of each instance in GB. Default 30."`
	HyperParameters map[string]string `yaml:"hyperparameters" json:"hyperparameters,omitempty" jsonschema_description:"Hyperparameters: in /opt/ml/input/config/hyperparameters.json, and each as SM_HP_NAME."`
	Channels        map[string]string `yaml:"channels" json:"channels,omitempty" jsonschema_description:"Data in S3 by the name of its channel, such as train: s3://bucket/train/. The command finds it in /opt/ml/input/data/NAME, also named by SM_CHANNEL_NAME."`
	Spot            bool              `yaml:"spot" json:"spot,omitempty" jsonschema_description:"Run on spot instances, which AWS may take away: needs checkpoint."`
	Checkpoint      string            `yaml:"checkpoint" json:"checkpoint,omitempty" jsonschema_description:"Where /opt/ml/checkpoints is kept, such as s3://bucket/checkpoints/."`
	MaxRuntime      delivery.Duration `yaml:"max_runtime" json:"max_runtime,omitempty" jsonschema_description:"How long the job may run, at most. Default: the step's timeout."`
	MaxWait         delivery.Duration `yaml:"max_wait" json:"max_wait,omitempty" jsonschema_description:"With spot: how long the job may take together with waiting for instances. Default: twice max_runtime."`
	MaxPending      delivery.Duration `yaml:"max_pending" json:"max_pending,omitempty" jsonschema_description:"How long the job may wait for capacity: 30m at least. Default: AWS's."`
	KeepAlive       delivery.Duration `yaml:"keep_alive" json:"keep_alive,omitempty" jsonschema_description:"How long the instances are kept for the next job (a warm pool), which costs. At most 6h."`
	VPC             *VPC              `yaml:"vpc" json:"vpc,omitempty" jsonschema_description:"Network that the job is in."`
	KMS             string            `yaml:"kms" json:"kms,omitempty" jsonschema_description:"KMS key for the bucket's objects and the volumes."`
	Tags            map[string]string `yaml:"tags" json:"tags,omitempty" jsonschema_description:"Tags of the job. Slipway's role needs sagemaker:AddTags for them."`
	Metrics         map[string]string `yaml:"metrics" json:"metrics,omitempty" jsonschema_description:"Regular expressions by which AWS finds metrics in the log, by the metrics' names."`
	Price           map[string]string `yaml:"price" json:"price,omitempty" jsonschema_description:"Price of an instance for an hour by its type, such as ml.m5.xlarge: 0.30 USD. Costs are unknown without."`

	AWS extension.AWS `yaml:"-" json:"aws,omitzero"`
}

// VPC is the network of a job.
type VPC struct {
	Subnets        []string `yaml:"subnets" json:"subnets" jsonschema:"required,minItems=1,maxItems=16" jsonschema_description:"IDs of the subnets."`
	SecurityGroups []string `yaml:"security_groups" json:"security_groups" jsonschema:"required,minItems=1,maxItems=5" jsonschema_description:"IDs of the security groups."`
}

// UseAWS implements extension.AWSUser.
func (s *Section) UseAWS(a extension.AWS) {
	s.AWS = a
	s.AWS.Role = s.Assume
}
