package awstest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

const passable = "arn:aws:iam::" + awstest.Account + ":role/training"

// minimalPolicy has nothing that the log of minimalLog does not need.
const minimalPolicy = `{"Version": "2012-10-17", "Statement": [
	{"Sid": "Tell", "Effect": "Allow", "Action": ["sns:Publish"], "Resource": "` + topic + `"},
	{"Sid": "Push", "Effect": "Allow", "Action": ["ecr:PutImage", "ecr:BatchGetImage"], "Resource": ["arn:aws:ecr:ap-southeast-1:111122223333:repository/a", "arn:aws:ecr:ap-southeast-1:111122223333:repository/b"]},
	{"Sid": "Login", "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
	{"Sid": "Pass", "Effect": "Allow", "Action": "iam:PassRole", "Resource": "` + passable + `", "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}},
	{"Sid": "Train", "Effect": "Allow", "Action": "sagemaker:CreateTrainingJob", "Resource": "arn:aws:sagemaker:ap-southeast-1:111122223333:training-job/slipway-*", "Condition": {"NumericLessThanEquals": {"sagemaker:MaxRuntimeInSeconds": 3600}}},
	{"Sid": "Never", "Effect": "Deny", "Action": "sns:Publish", "Resource": "` + topic + `", "Condition": {"StringEquals": {"aws:RequestTag/to": "everybody"}}}]}`

func minimalLog() (log []awstest.Judgement) {
	add := func(action, resource string, keys map[string][]string) {
		log = append(log, awstest.Judgement{Access: awstest.Access{Action: action, Resource: resource, Keys: keys}, Decision: awstest.Allowed})
	}
	const repository = "arn:aws:ecr:ap-southeast-1:111122223333:repository/"
	add("sns:Publish", topic, nil)
	add("ecr:PutImage", repository+"a", nil)
	add("ecr:BatchGetImage", repository+"b", nil)
	add("ecr:GetAuthorizationToken", "*", nil)
	add("iam:PassRole", passable, map[string][]string{"iam:PassedToService": {"sagemaker.amazonaws.com"}})
	add("sagemaker:CreateTrainingJob", "arn:aws:sagemaker:ap-southeast-1:111122223333:training-job/slipway-1", map[string][]string{"sagemaker:MaxRuntimeInSeconds": {"600"}})
	log = append(log, awstest.Judgement{Access: awstest.Access{Action: "sns:Subscribe", Resource: topic}}) // which was denied, and proves nothing
	return log
}

// denied is what has to stay so, beyond what the log says.
var stayDenied = []awstest.Access{{Action: "sns:Publish", Resource: topic, Keys: map[string][]string{"aws:RequestTag/to": {"everybody"}}}}

// TestMinimal: nothing can be taken from a minimal policy, and everything that is too much
// in another is found.
func TestMinimal(t *testing.T) {
	for _, tt := range []struct {
		name, old, changed string
		want               []string
	}{
		{"minimal", "", "", nil},
		{"an action", `["sns:Publish"]`, `["sns:Publish", "sns:Subscribe"]`, []string{"policy 1: Tell: action sns:Subscribe"}},
		{"a resource", `repository/b"`, `repository/b", "arn:aws:ecr:ap-southeast-1:111122223333:repository/c"`, []string{"policy 1: Push: resource arn:aws:ecr:ap-southeast-1:111122223333:repository/c"}},
		{"a wildcard action", `"ecr:BatchGetImage"`, `"ecr:Batch*"`, []string{"policy 1: Push: action ecr:Batch*, for which ecr:BatchGetImage do"}},
		{"a resource of everything", `"Resource": "` + passable, `"Resource": "*`, []string{"policy 1: Pass: resource *, for which " + passable + " do"}},
		{"a value", `"sagemaker.amazonaws.com"`, `["sagemaker.amazonaws.com", "ec2.amazonaws.com"]`, []string{"policy 1: Pass: condition StringEquals of iam:PassedToService, value ec2.amazonaws.com"}},
		{"a condition that nothing needs", `"Resource": "*"}`, `"Resource": "*", "Condition": {"StringEqualsIfExists": {"aws:PrincipalTag/a": "b"}}}`, []string{"policy 1: Login: condition StringEqualsIfExists of aws:PrincipalTag/a"}},
		{"a statement", `{"Sid": "Login"`, `{"Sid": "More", "Effect": "Allow", "Action": "sns:ListTopics", "Resource": "*"}, {"Sid": "Login"`, []string{"policy 1: More: the statement"}},
		{"a denial of nothing", `{"Sid": "Login"`, `{"Sid": "More", "Effect": "Deny", "Action": "sns:ListTopics", "Resource": "*"}, {"Sid": "Login"`, []string{"policy 1: More: the statement"}},
		{"twice the same", `{"Sid": "Login"`, `{"Sid": "Again", "Effect": "Allow", "Action": "sns:Publish", "Resource": "` + topic + `"}, {"Sid": "Login"`, []string{"policy 1: Tell: the statement", "policy 1: Again: the statement"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(minimalPolicy, tt.old, tt.changed, 1)
			got, err := awstest.Minimal(minimalLog(), stayDenied, text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Removable); diff != "" || got.Tried < 12 {
				t.Errorf("%v, %d tried: %s", got, got.Tried, diff)
			}
			if tt.want == nil && got.String() != "6 statements, 0 removable" {
				t.Error(got)
			}
		})
	}
	if _, err := awstest.Minimal(minimalLog(), nil, strings.Replace(minimalPolicy, "ecr:PutImage", "ecr:ListImages", 1)); err == nil || !strings.Contains(err.Error(), "do not allow ecr:PutImage") {
		t.Errorf("policies that the log is not of: %v", err)
	}
}
