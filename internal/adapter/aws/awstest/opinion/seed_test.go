package opinion_test

import (
	"context"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/opinion"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
)

// seed makes in another program's AWS what newFake makes in ours.
func (w *world) seed(ctx context.Context, e *opinion.Emulator) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	for _, do := range []func(context.Context, *session.Session) error{w.seedStorage, w.seedImages, w.seedLogs, w.seedTopic} {
		if err := do(ctx, s); err != nil {
			return err
		}
	}
	w.seedRoles(e)
	return seedCluster(ctx, s)
}

func (w *world) seedStorage(ctx context.Context, s *session.Session) error {
	client := s3.NewFromConfig(s.Config)
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: aws.String(bucket), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: awstest.Region},
	})
	if err == nil {
		_, err = client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: aws.String(bucket), VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled},
		})
	}
	return err
}

func (w *world) seedImages(ctx context.Context, s *session.Session) error {
	client := ecr.NewFromConfig(s.Config)
	for _, name := range []string{repository, unscanned} {
		if _, err := client.CreateRepository(ctx, &ecr.CreateRepositoryInput{
			RepositoryName: &name, ImageTagMutability: ecrtypes.ImageTagMutabilityImmutable,
			ImageScanningConfiguration: &ecrtypes.ImageScanningConfiguration{ScanOnPush: name == repository},
		}); err != nil {
			return err
		}
	}
	_, err := client.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: aws.String(repository), ImageManifest: aws.String(manifest(2)), ImageManifestMediaType: aws.String(dockerManifest), ImageTag: aws.String("r1"),
	})
	return err
}

var logsAPI = session.API{Name: "logs", Target: "Logs_20140328", Version: "1.1"}

func (w *world) seedLogs(ctx context.Context, s *session.Session) error {
	for _, group := range []string{logGroup, "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs"} {
		if err := s.Call(ctx, logsAPI, "CreateLogGroup", map[string]string{"logGroupName": group}, nil); err != nil {
			return err
		}
	}
	for group, job := range map[string]string{"/aws/sagemaker/TrainingJobs": trainingName, "/aws/sagemaker/ProcessingJobs": processingName} {
		at := map[string]any{"logGroupName": group, "logStreamName": job + "/algo-1-1"}
		if err := s.Call(ctx, logsAPI, "CreateLogStream", at, nil); err != nil {
			return err
		}
		at["logEvents"] = []map[string]any{{"timestamp": time.Now().UnixMilli(), "message": "epoch 1"}}
		if err := s.Call(ctx, logsAPI, "PutLogEvents", at, nil); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) seedTopic(ctx context.Context, s *session.Session) error {
	_, err := sns.NewFromConfig(s.Config).CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("releases")})
	return err
}

func seedCluster(ctx context.Context, s *session.Session) error {
	_, err := eks.NewFromConfig(s.Config).CreateCluster(ctx, &eks.CreateClusterInput{
		Name: aws.String(cluster), RoleArn: aws.String("arn:aws:iam::" + awstest.Account + ":role/eks"),
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}},
	})
	return err
}

func (w *world) seedRoles(e *opinion.Emulator) {
	call := func(form url.Values) {
		form.Set("Version", "2010-05-08")
		e.Query(w.t, "iam", form, new(struct{}))
	}
	call(url.Values{
		"Action": {"CreateOpenIDConnectProvider"}, "Url": {"https://" + github}, "ClientIDList.member.1": {"sts.amazonaws.com"},
		"ThumbprintList.member.1": {"6938fd4d98bab03faadb97b34396831e3780aea1"},
	})
	const clusterTrust = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "eks.amazonaws.com"}}]}`
	for name, document := range map[string]string{"deploy": trust, "eks": clusterTrust} {
		call(url.Values{"Action": {"CreateRole"}, "RoleName": {name}, "AssumeRolePolicyDocument": {document}})
	}
}
