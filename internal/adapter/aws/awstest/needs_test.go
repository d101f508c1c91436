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
