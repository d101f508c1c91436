package awstest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// TestCheckDocument finds every planted mistake, and none where there is none.
func TestCheckDocument(t *testing.T) {
	const at = "arn:aws:"
	const here = ":ap-southeast-1:111122223333:"
	statement := func(action, resource, condition string) string {
		s := `{"Version": "2012-10-17", "Statement": [{"Sid": "S", "Effect": "Allow", "Action": ` + action + `, "Resource": "` + resource + `"`
		if condition != "" {
			s += `, "Condition": ` + condition
		}
		return s + "}]}"
	}
	trust := func(issuer, claim string) string {
		return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": "` + providerARN + issuer + `"}, "Action": "sts:AssumeRoleWithWebIdentity",
			"Condition": {"StringEquals": {"` + issuer + ":" + claim + `": "x"}}}]}`
	}
	for _, tt := range []struct{ name, text, want string }{
		{"push", statement(`["ecr:PutImage", "ecr:UploadLayerPart"]`, at+"ecr"+here+"repository/mlops/retail-api", ""), ""},
		{"token", statement(`"ecr:GetAuthorizationToken"`, "*", ""), ""},
		{"jobs", statement(`"sagemaker:CreateTrainingJob"`, at+"sagemaker"+here+"training-job/slipway-*", `{"StringEquals": {"aws:RequestTag/slipway:project": "retail"}, "ForAllValues:StringLike": {"sagemaker:InstanceTypes": "ml.m5.*"}}`), ""},
		{"pass a role", statement(`"iam:PassRole"`, roleARN+"training", `{"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}`), ""},
		{"approve", statement(`"sagemaker:UpdateModelPackage"`, at+"sagemaker"+here+"model-package/retail/*", `{"StringEquals": {"sagemaker:ModelApprovalStatus": "Approved"}}`), ""},
		{"a bucket and its objects", statement(`"s3:GetObject"`, at+"s3:::b/models/*", ""), ""},
		{"streams", statement(`["logs:CreateLogStream", "logs:PutLogEvents"]`, at+"logs"+here+"log-group:/slipway/retail:log-stream:*", ""), ""},
		{"alarms", statement(`"cloudwatch:PutMetricAlarm"`, at+"cloudwatch"+here+"alarm:slipway/retail-api/prod/*", ""), ""},
		{"metrics", statement(`"cloudwatch:PutMetricData"`, "*", `{"StringEquals": {"cloudwatch:namespace": "Slipway"}}`), ""},
		{"tags of a resource", statement(`"ecr:DeleteRepository"`, at+"ecr"+here+"repository/*", `{"StringEquals": {"aws:ResourceTag/slipway:project": "retail"}}`), ""},
		{"a global key", statement(`"sns:Publish"`, topic, `{"Bool": {"aws:SecureTransport": "true"}}`), ""},
		{"a wildcard", statement(`"ecr:Describe*"`, at+"ecr"+here+"repository/x", ""), ""},
		{"everything", statement(`"*"`, "*", ""), ""},
		{"trust", trust(github, "repository_id"), ""},
		{"subject", trust(github, "sub"), ""},
		{"another issuer", trust("gitlab.example.com", "sub"), ""},

		{"no such action", statement(`"ecr:PushImage"`, "*", ""), "AWS has no action ecr:PushImage"},
		{"an action that is an operation only", statement(`"s3:ListObjectsV2"`, at+"s3:::b", ""), "AWS has no action s3:ListObjectsV2"},
		{"no such service", statement(`"ecs:X"`, "*", ""), "AWS has no action ecs:X"},
		{"a wildcard of nothing", statement(`"ecr:Push*"`, "*", ""), "AWS has no action ecr:Push*"},
		{"another service's ARN", statement(`"ecr:PutImage"`, at+"s3:::b", ""), "ecr:PutImage is about none of"},
		{"an object for a bucket", statement(`"s3:ListBucket"`, at+"s3:::b/*", ""), "s3:ListBucket is about none of"},
		{"a bucket for an object", statement(`"s3:GetObject"`, at+"s3:::b", ""), "s3:GetObject is about none of"},
		{"a group for a version", statement(`"sagemaker:UpdateModelPackage"`, at+"sagemaker"+here+"model-package-group/retail", ""), "is about none of"},
		{"a topic's ARN with a slash", statement(`"sns:Publish"`, at+"sns"+here+"a/b", ""), "sns:Publish is about none of"},
		{"an ARN for an action about nothing", statement(`"ecr:GetAuthorizationToken"`, at+"ecr"+here+"repository/x", ""), "needs the resource *"},
		{"a group for streams", statement(`"logs:PutLogEvents"`, at+"logs"+here+"log-group:/slipway/retail", ""), "logs:PutLogEvents is about none of"},
		{"one action of two", statement(`["s3:GetObject", "s3:ListBucket"]`, at+"s3:::b/*", ""), "s3:ListBucket is about none of"},
		{"a key of another action", statement(`"sagemaker:CreateTrainingJob"`, "*", `{"StringEquals": {"sagemaker:ModelApprovalStatus": "Approved"}}`), "has no condition key sagemaker:ModelApprovalStatus"},
		{"a key that there is not", statement(`"iam:PassRole"`, "*", `{"StringEquals": {"iam:PassedTo": "x"}}`), "has no condition key iam:PassedTo"},
		{"tags of a request without", statement(`"sns:Publish"`, topic, `{"StringEquals": {"aws:RequestTag/a": "b"}}`), "has no condition key aws:RequestTag/a"},
		{"a claim that AWS does not map", trust("gitlab.example.com", "project_id"), "has no condition key gitlab.example.com:project_id"},
		{"no such claim of GitHub", trust(github, "branch"), "has no condition key " + github + ":branch"},
		{"an operator", statement(`"sns:Publish"`, topic, `{"StringIs": {"aws:k": "b"}}`), "operator StringIs"},
		{"no JSON", "{", "policy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := errors.Join(awstest.CheckDocument(tt.text)...)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
