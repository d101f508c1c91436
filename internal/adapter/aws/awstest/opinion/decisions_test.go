package opinion_test

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/opinion"
)

// rights are those of docs/aws.md, for all steps.
const rights = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::111122223333:role/deploy"},
	{"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
	{"Effect": "Allow", "Action": ["ecr:Describe*", "ecr:CreateRepository", "ecr:StartImageScan"], "Resource": "arn:aws:ecr:ap-southeast-1:111122223333:repository/mlops/*"},
	{"Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": "arn:aws:eks:ap-southeast-1:111122223333:cluster/*"},
	{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::retail-artifacts", "Condition": {"StringLike": {"s3:prefix": "a/*"}}},
	{"Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:AbortMultipartUpload"], "Resource": ["arn:aws:s3:::retail-artifacts/*", "arn:aws:s3:::retail-none/?"]},
	{"Effect": "Allow", "Action": ["sagemaker:ListModelPackages"], "Resource": "*"},
	{"Effect": "Allow", "Action": ["sagemaker:*ModelPackageGroup", "sagemaker:*ModelPackage"], "Resource": ["arn:aws:sagemaker:*:111122223333:model-package-group/retail-*", "arn:aws:sagemaker:*:111122223333:model-package/retail-*/*"]},
	{"Effect": "Allow", "Action": ["sagemaker:*TrainingJob", "sagemaker:AddTags"], "Resource": "arn:aws:sagemaker:ap-southeast-1:111122223333:training-job/slipway-*"},
	{"Effect": "Allow", "Action": ["sagemaker:*ProcessingJob", "sagemaker:AddTags"], "Resource": "arn:aws:sagemaker:ap-southeast-1:111122223333:processing-job/slipway-*"},
	{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::111122223333:role/training", "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}},
	{"Effect": "Allow", "Action": ["cloudwatch:*Alarm*", "cloudwatch:PutMetricData", "cloudwatch:TagResource"], "Resource": "*"},
	{"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:GetLogEvents", "logs:DescribeLogStreams"], "Resource": "arn:aws:logs:ap-southeast-1:111122223333:log-group:*"},
	{"Effect": "Allow", "Action": "sns:Publish", "Resource": "arn:aws:sns:ap-southeast-1:111122223333:releases*"},
	{"Effect": "Allow", "Action": "events:PutEvents", "Resource": "*"},
	{"Effect": "Deny", "Action": "sagemaker:UpdateModelPackage", "Resource": "*", "Condition": {"StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"}}}]}`

// TestAWS_Decisions asks ministack about every decision on the policies of who does all
// steps, and about each with another account, service and value of its keys, too.
func TestAWS_Decisions(t *testing.T) {
	program := python(t)
	e := opinion.StartMinistack(t, program)
	w := newFake(t, newIssuer(t))
	if err := w.fake.SetPolicies("user/ci", "", rights); err != nil {
		t.Fatal(err)
	}
	do(t, w)
	var questions []opinion.Question
	var ours []awstest.Decision
	policy, err := awstest.ParsePolicy(rights)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range w.fake.Judgements() {
		if j.Decision != awstest.Allowed {
			t.Errorf("%s on %s is not allowed", j.Access.Action, j.Access.Resource)
		}
		for _, a := range variations(j.Access) {
			questions = append(questions, opinion.Question{Texts: j.Texts, Access: a})
			ours = append(ours, awstest.Decide([]awstest.Policy{policy}, nil, a))
		}
	}
	e.Await(t)
	opinion.CompareDecisions(t, program, e, questions, ours)
}

// variations are an access, and what else somebody might try.
func variations(a awstest.Access) []awstest.Access {
	all := []awstest.Access{a, {Action: a.Action, Resource: strings.Replace(a.Resource, awstest.Account, "444455556666", 1), Keys: a.Keys}, {Action: a.Action + "X", Resource: a.Resource, Keys: a.Keys}}
	for key := range a.Keys {
		all = append(all, awstest.Access{Action: a.Action, Resource: a.Resource, Keys: map[string][]string{key: {"Rejected"}}})
	}
	return all
}
