package awstest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCloud_Needs: what operations need beyond their name, by the Service Authorization
// Reference.
func TestCloud_Needs(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	const buses = "arn:aws:events:ap-southeast-1:111122223333:event-bus/"
	const sagemaker = "arn:aws:sagemaker:ap-southeast-1:111122223333:"
	for _, tt := range []struct {
		service, operation string
		input              map[string]any
		want               []string // action and resource
	}{
		{"s3", "HeadObject", map[string]any{"Bucket": "b", "Key": "k"}, []string{"s3:GetObject arn:aws:s3:::b/k"}},
		{"s3", "PutBucketEncryption", map[string]any{"Bucket": "b"}, []string{"s3:PutEncryptionConfiguration arn:aws:s3:::b"}},
		{"s3", "DeleteObjects", map[string]any{"Bucket": "b", "Delete": map[string]any{"Objects": []any{map[string]any{"Key": "k"}, map[string]any{"Key": "l", "VersionId": "1"}}}}, []string{"s3:DeleteObject arn:aws:s3:::b/k", "s3:DeleteObjectVersion arn:aws:s3:::b/l"}},
		{"s3", "CreateBucket", map[string]any{"Bucket": "b", "CreateBucketConfiguration": map[string]any{"Tags": []any{map[string]any{"Key": "a", "Value": "b"}}}}, []string{"s3:CreateBucket arn:aws:s3:::b", "s3:TagResource arn:aws:s3:::b"}},
		{"ecr", "CreateRepository", map[string]any{"repositoryName": "r", "tags": []any{map[string]any{"Key": "a", "Value": "b"}}}, []string{"ecr:CreateRepository arn:aws:ecr:ap-southeast-1:111122223333:repository/r", "ecr:TagResource arn:aws:ecr:ap-southeast-1:111122223333:repository/r"}},
		{"eks", "CreateAccessEntry", map[string]any{"clusterName": "k", "principalArn": "arn:aws:iam::111122223333:role/r", "tags": map[string]any{"a": "b"}}, []string{"eks:CreateAccessEntry arn:aws:eks:ap-southeast-1:111122223333:cluster/k", "eks:TagResource arn:aws:eks:ap-southeast-1:111122223333:access-entry/k/role/111122223333/r/*"}},
		{"eks", "DescribeAccessEntry", map[string]any{"clusterName": "k", "principalArn": "arn:aws:iam::111122223333:role/r"}, []string{"eks:DescribeAccessEntry arn:aws:eks:ap-southeast-1:111122223333:access-entry/k/role/111122223333/r/*"}},
		{"eks", "CreatePodIdentityAssociation", map[string]any{"clusterName": "k", "roleArn": "arn:aws:iam::111122223333:role/r"}, []string{"eks:CreatePodIdentityAssociation arn:aws:eks:ap-southeast-1:111122223333:cluster/k", "iam:GetRole arn:aws:iam::111122223333:role/r", "iam:PassRole arn:aws:iam::111122223333:role/r"}},
		{"eks", "DescribeAddon", map[string]any{"clusterName": "k", "addonName": "a"}, []string{"eks:DescribeAddon arn:aws:eks:ap-southeast-1:111122223333:addon/k/a/00000000-0000-4000-8000-0000000000ab"}},
		{"sns", "CreateTopic", map[string]any{"Name": "t", "Tags": []any{map[string]any{"Key": "a", "Value": "b"}}}, []string{"sns:CreateTopic arn:aws:sns:ap-southeast-1:111122223333:t", "sns:TagResource arn:aws:sns:ap-southeast-1:111122223333:t"}},
		{"logs", "CreateLogGroup", map[string]any{"logGroupName": "g", "tags": map[string]any{"a": "b"}}, []string{"logs:CreateLogGroup arn:aws:logs:ap-southeast-1:111122223333:log-group:g", "logs:TagResource arn:aws:logs:ap-southeast-1:111122223333:log-group:g"}},
		{"logs", "DescribeLogGroups", map[string]any{"logGroupNamePrefix": "g"}, []string{"logs:DescribeLogGroups *"}},
		{"resourcegroupstaggingapi", "GetResources", map[string]any{}, []string{"tag:GetResources *"}},
		{"service-quotas", "GetServiceQuota", map[string]any{"ServiceCode": "iam", "QuotaCode": "L-1"}, []string{"servicequotas:GetServiceQuota arn:aws:servicequotas:ap-southeast-1:111122223333:iam/L-1"}},
		{"s3", "UploadPart", map[string]any{"Bucket": "b", "Key": "k"}, []string{"s3:PutObject arn:aws:s3:::b/k"}},
		{"s3", "ListObjectsV2", map[string]any{"Bucket": "b", "Prefix": "p/"}, []string{"s3:ListBucket arn:aws:s3:::b"}},
		{"s3", "GetObject", map[string]any{"Bucket": "b", "Key": "k", "VersionId": "v"}, []string{"s3:GetObjectVersion arn:aws:s3:::b/k"}},
		{"cloudwatch", "DescribeAlarms", map[string]any{"AlarmNames": []any{"a"}}, []string{"cloudwatch:DescribeAlarms *"}},
		{"cloudwatch", "PutMetricData", map[string]any{"Namespace": "Slipway"}, []string{"cloudwatch:PutMetricData *"}},
		{"cloudwatch", "DeleteAlarms", map[string]any{"AlarmNames": []any{"a"}}, []string{"cloudwatch:DeleteAlarms arn:aws:cloudwatch:ap-southeast-1:111122223333:alarm:a"}},
		{"cloudwatch", "PutMetricAlarm", map[string]any{"AlarmName": "a", "Tags": []any{1}}, []string{"cloudwatch:PutMetricAlarm arn:aws:cloudwatch:ap-southeast-1:111122223333:alarm:a", "cloudwatch:TagResource arn:aws:cloudwatch:ap-southeast-1:111122223333:alarm:a"}},
		{"logs", "PutLogEvents", map[string]any{"logGroupName": "/g", "logStreamName": "s"}, []string{"logs:PutLogEvents arn:aws:logs:ap-southeast-1:111122223333:log-group:/g:log-stream:s"}},
		{"logs", "CreateLogGroup", map[string]any{"logGroupName": "/g"}, []string{"logs:CreateLogGroup arn:aws:logs:ap-southeast-1:111122223333:log-group:/g"}},
		{"sagemaker", "ListModelPackages", map[string]any{"ModelPackageGroupName": "g"}, []string{"sagemaker:ListModelPackages *"}},
		{"sagemaker", "UpdateModelPackage", map[string]any{"ModelPackageArn": sagemaker + "model-package/g/1", "ModelApprovalStatus": "Approved"}, []string{"sagemaker:UpdateModelPackage " + sagemaker + "model-package/g/1"}},
		{"sagemaker", "CreateModelPackageGroup", map[string]any{"ModelPackageGroupName": "g", "Tags": []any{1}}, []string{"sagemaker:CreateModelPackageGroup " + sagemaker + "model-package-group/g", "sagemaker:AddTags " + sagemaker + "model-package-group/g"}},
		{"sagemaker", "CreateTrainingJob", map[string]any{"TrainingJobName": "j", "RoleArn": "arn:aws:iam::111122223333:role/r"}, []string{"sagemaker:CreateTrainingJob " + sagemaker + "training-job/j", "iam:PassRole arn:aws:iam::111122223333:role/r"}},
		{"events", "PutEvents", map[string]any{"Entries": []any{map[string]any{"EventBusName": "releases"}, map[string]any{}}}, []string{"events:PutEvents " + buses + "releases", "events:PutEvents " + buses + "default"}},
		{"ecr", "GetAuthorizationToken", map[string]any{}, []string{"ecr:GetAuthorizationToken *"}},
		{"sts", "GetCallerIdentity", map[string]any{}, nil},
	} {
		call := &Call{Service: c.services[tt.service], Input: tt.input}
		call.Operation.Name = tt.operation
		var got []string
		for _, need := range c.accessOf(call) {
			got = append(got, need.Action+" "+need.Resource)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s.%s (-want +got):\n%s", tt.service, tt.operation, diff)
		}
	}
}
