package jobs

import (
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/extension"
)

var _ extension.RightsUser = (*Section)(nil)

// jobKind is how the rights on the two kinds of jobs differ.
type jobKind struct {
	step, noun, resource, logGroup string
}

var (
	trainingKind   = jobKind{"train", "Training", "training-job", "/aws/sagemaker/TrainingJobs"}
	processingKind = jobKind{"evaluate", "Processing", "processing-job", "/aws/sagemaker/ProcessingJobs"}
)

func (s *Section) kindIn(p extension.AWSPlace) jobKind {
	if p.Trains {
		return trainingKind
	}
	return processingKind
}

// AWSRights implements extension.RightsUser.
func (s *Section) AWSRights(p extension.AWSPlace) extension.AWSRights {
	k := s.kindIn(p)
	bucket, prefix := s.Bucket, (&Jobs{section: *s}).prefix()
	jobs := p.ARN("sagemaker", k.resource+"/slipway-*")
	r := extension.AWSRights{Role: s.Assume, Statements: []account.Statement{{
		Sid: k.noun + "Jobs", Actions: []string{"sagemaker:Create" + k.noun + "Job", "sagemaker:Describe" + k.noun + "Job", "sagemaker:Stop" + k.noun + "Job"}, Resources: []string{jobs},
		Needs: []account.Need{
			{Step: k.step, Call: "sagemaker:Create" + k.noun + "Job", Why: "to make the job of this run"},
			{Step: k.step, Call: "sagemaker:Describe" + k.noun + "Job", Why: "to find it again, and to wait for it"},
			{Step: k.step, Call: "sagemaker:Stop" + k.noun + "Job", Why: "to stop it when the run is cancelled"},
		},
	}, {
		Sid: "GiveJobsTheirRole", Actions: []string{"iam:PassRole"}, Resources: []string{s.Role},
		Conditions: account.Conditions{"StringEquals": {"iam:PassedToService": {"sagemaker.amazonaws.com"}}},
		Needs:      []account.Need{{Step: k.step, Call: "iam:PassRole", Why: "because the job works with this role, which no other service may get from here"}},
	}}}
	if len(s.Tags) > 0 {
		r.Statements = append(r.Statements, account.Statement{
			Sid: "Tag" + k.noun + "Jobs", Actions: []string{"sagemaker:AddTags"}, Resources: []string{jobs},
			Needs: []account.Need{{Step: k.step, Call: "sagemaker:AddTags", Why: "because the job is made with tags, which is a separate right"}},
		})
	}
	if m := ecrImage.FindStringSubmatch(s.Image); m != nil && m[1] == p.Account && m[2] == p.Region {
		r.Statements = append(r.Statements, account.Statement{
			Sid: "LookAtTheImageOfJobs", Actions: []string{"ecr:DescribeImages"}, Resources: []string{p.ARN("ecr", "repository/"+m[3])},
			Needs: []account.Need{{Step: k.step, Call: "ecr:DescribeImages", Why: "to refuse an image that SageMaker does not take, before it costs anything"}},
		})
		r.Resources = append(r.Resources, account.Resource{
			Kind: account.KindRepository, Name: m[3], ARN: p.ARN("ecr", "repository/"+m[3]), Data: true, Why: "the image in which jobs run",
			Spec: account.Repository{Immutable: true, UntaggedDays: account.UntaggedDays},
		})
	}
	r.Statements = append(r.Statements, s.logRights(p, k)...)
	r.Statements = append(r.Statements, s3.StoreRights(p, "WhatJobsRead", bucket, prefix, k.step, "what jobs read and write")...)
	r.Statements = append(r.Statements, s.keyRights(p, k.step)...)
	r.Passes = []extension.PassedRole{{ARN: s.Role, Service: "sagemaker.amazonaws.com", Why: "what jobs of SageMaker may do", Statements: s.jobRights(p, k)}}
	r.Resources = append(r.Resources,
		account.Resource{
			Kind: account.KindBucket, Name: bucket, ARN: p.BucketARN(bucket), Data: true, Why: "what jobs of SageMaker read and write",
			Spec: account.Bucket{Versioned: true},
		},
		account.Resource{
			Kind: account.KindLogGroup, Name: k.logGroup, ARN: p.ARN("logs", "log-group:"+k.logGroup), Shared: true, Why: "logs of all jobs of the account",
			Spec: account.LogGroup{RetentionDays: account.RetentionDays},
		})
	return r
}

func (s *Section) logRights(p extension.AWSPlace, k jobKind) []account.Statement {
	group := p.ARN("logs", "log-group:"+k.logGroup)
	return []account.Statement{
		{
			Sid: "FindLogsOf" + k.noun + "Jobs", Actions: []string{"logs:DescribeLogStreams"}, Resources: []string{group},
			Needs: []account.Need{{Step: k.step, Call: "logs:DescribeLogStreams", Why: "to find the streams of the job's instances"}},
		},
		{
			Sid: "ReadLogsOf" + k.noun + "Jobs", Actions: []string{"logs:GetLogEvents"}, Resources: []string{group + ":log-stream:slipway-*"},
			Needs: []account.Need{{Step: k.step, Call: "logs:GetLogEvents", Why: "to show what the job prints while it runs"}},
		},
	}
}

// keyRights are those on the key, for Slipway and for the job.
func (s *Section) keyRights(p extension.AWSPlace, step string) []account.Statement {
	if s.KMS == "" {
		return nil
	}
	st := account.Statement{
		Sid: "UseTheKey", Actions: []string{"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"}, Resources: []string{s.KMS},
		Needs: []account.Need{
			{Step: step, Call: "kms:CreateGrant", Why: "to encrypt the volumes of the job's instances"},
			{Step: step, Call: "kms:Decrypt", Why: "to read what is encrypted in the bucket"},
			{Step: step, Call: "kms:DescribeKey", Why: "because SageMaker looks at the key with the caller's rights"},
			{Step: step, Call: "kms:GenerateDataKey", Why: "to encrypt what is stored in the bucket"},
		},
	}
	switch name := s.KMS; {
	case strings.HasPrefix(name, "arn:") && !strings.Contains(name, ":alias/"):
	case strings.Contains(name, "alias/"):
		st.Resources = []string{p.ARN("kms", "key/*")}
		st.Conditions = account.Conditions{"ForAnyValue:StringEquals": {"kms:ResourceAliases": {name[strings.Index(name, "alias/"):]}}}
	default:
		st.Resources = []string{p.ARN("kms", "key/"+name)}
	}
	return []account.Statement{st}
}

// jobRights are what the job itself does, by the execution role.
func (s *Section) jobRights(p extension.AWSPlace, k jobKind) []account.Statement {
	own := "the " + strings.ToLower(k.noun) + " job"
	prefix := (&Jobs{section: *s}).prefix()
	all := []account.Statement{
		readBelow(p, own, s.Bucket, prefix+"/"),
		findIn(p, own, s.Bucket),
		{
			Sid: "StoreWhatTheJobMade", Actions: []string{"s3:AbortMultipartUpload", "s3:PutObject"}, Resources: []string{p.BucketARN(s.Bucket + "/" + prefix + "/jobs/*")},
			Needs: []account.Need{
				{Step: own, Call: "s3:AbortMultipartUpload", Why: "to leave no parts of a large object that could not be stored"},
				{Step: own, Call: "s3:PutObject", Why: "to store its result"},
			},
		},
		{
			Sid: "WriteItsLog", Actions: []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
			Resources: []string{p.ARN("logs", "log-group:"+k.logGroup), p.ARN("logs", "log-group:"+k.logGroup+":*")},
			Needs:     []account.Need{{Step: own, Why: "to write its log, in a group that its first job in the account makes"}},
		},
		{
			Sid: "PublishItsMetrics", Actions: []string{"cloudwatch:PutMetricData"}, Resources: []string{"*"},
			Conditions: account.Conditions{"StringEquals": {"cloudwatch:namespace": {k.logGroup}}},
			Needs:      []account.Need{{Step: own, Call: "cloudwatch:PutMetricData", Why: "to publish its metrics; they have no ARNs, so the namespace bounds it"}},
		},
	}
	all = append(all, s.imageRights(p, own)...)
	for _, uri := range s.channelURIs() {
		if at, err := s3.Parse(uri); err == nil {
			all = append(all, readBelow(p, own, at.Bucket, at.Key), findIn(p, own, at.Bucket))
		}
	}
	if at, err := s3.Parse(s.Checkpoint); err == nil && s.Checkpoint != "" {
		all = append(all, s3.StoreRights(p, "ItsCheckpoints", at.Bucket, strings.TrimSuffix(at.Key, "/"), own, "checkpoints")...)
	}
	all = append(all, s.keyRights(p, own)...)
	return append(all, s.networkRights(p, own)...)
}

func (s *Section) channelURIs() []string {
	var all []string
	for _, uri := range s.Channels {
		all = append(all, uri)
	}
	slices.Sort(all)
	return all
}

func readBelow(p extension.AWSPlace, step, bucket, prefix string) account.Statement {
	return account.Statement{
		Sid: "ReadItsInputs", Actions: []string{"s3:GetObject"}, Resources: []string{p.BucketARN(bucket + "/" + prefix + "*")},
		Needs: []account.Need{{Step: step, Call: "s3:GetObject", Why: "to read its inputs"}},
	}
}

func findIn(p extension.AWSPlace, step, bucket string) account.Statement {
	return account.Statement{
		Sid: "FindItsInputs", Actions: []string{"s3:ListBucket"}, Resources: []string{p.BucketARN(bucket)},
		Needs: []account.Need{{Step: step, Call: "s3:ListBucket", Why: "to list its inputs: SageMaker reads prefixes"}},
	}
}

var ecrRepository = regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^\s@:]+)`)

// imageRights let SageMaker pull an image from ECR with the job's role, in any account.
func (s *Section) imageRights(p extension.AWSPlace, step string) []account.Statement {
	m := ecrRepository.FindStringSubmatch(s.Image)
	if m == nil {
		return nil
	}
	repository := strings.Join([]string{"arn", p.Partition(), "ecr", m[2], m[1], "repository/" + m[3]}, ":")
	return []account.Statement{
		{
			Sid: "LogInToECR", Actions: []string{"ecr:GetAuthorizationToken"}, Resources: []string{"*"},
			Needs: []account.Need{{Step: step, Call: "ecr:GetAuthorizationToken", Why: "for the registry's password, which is of an account and not of a repository"}},
		},
		{
			Sid: "PullItsImage", Actions: []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}, Resources: []string{repository},
			Needs: []account.Need{{Step: step, Why: "to pull the image that it runs in"}},
		},
	}
}

// networkRights are those of a job in a network of the account. Source: "Give SageMaker AI
// Training Jobs Access to Resources in Your Amazon VPC" in SageMaker's developer guide.
func (s *Section) networkRights(p extension.AWSPlace, step string) []account.Statement {
	if s.VPC == nil {
		return nil
	}
	interfaces := p.ARN("ec2", "network-interface/*")
	where := []string{interfaces}
	for _, id := range s.VPC.Subnets {
		where = append(where, p.ARN("ec2", "subnet/"+id))
	}
	for _, id := range s.VPC.SecurityGroups {
		where = append(where, p.ARN("ec2", "security-group/"+id))
	}
	return []account.Statement{
		{
			Sid: "JoinTheNetwork", Actions: []string{"ec2:CreateNetworkInterface"}, Resources: where,
			Needs: []account.Need{{Step: step, Call: "ec2:CreateNetworkInterface", Why: "to be in the subnets and security groups that vpc names"}},
		},
		{
			Sid: "UseTheNetwork", Actions: []string{"ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission"}, Resources: []string{interfaces},
			Needs: []account.Need{{Step: step, Why: "SageMaker attaches its interfaces, and removes them after the job"}},
		},
		{
			Sid: "LookAtTheNetwork", Actions: []string{"ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"}, Resources: []string{"*"},
			Needs: []account.Need{{Step: step, Why: "SageMaker looks at the network with the job's role; these calls have no resources"}},
		},
	}
}
