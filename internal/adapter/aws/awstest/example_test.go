package awstest

import (
	"os"
	"path/filepath"
	"testing"
)

func example(t *testing.T, name string) Policy {
	t.Helper()
	text, err := os.ReadFile("../../../../examples/retail-aws/aws/iam/" + name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePolicy(string(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

// TestExample_Policies: what the example's policies allow, and what they must not.
func TestExample_Policies(t *testing.T) {
	const at = "arn:aws:"
	const own = "arn:aws:ecr:ap-southeast-1:111122223333:repository/mlops/retail-api"
	for _, tt := range []struct {
		policy, action, resource string
		want                     Decision
	}{
		{"ci.json", "ecr:GetAuthorizationToken", "*", Allowed},
		{"ci.json", "ecr:PutImage", own, Allowed},
		{"ci.json", "ecr:PutImage", "arn:aws:ecr:ap-southeast-1:111122223333:repository/other", NotAllowed},
		{"ci.json", "ecr:BatchDeleteImage", own, NotAllowed},
		{"ci.json", "ecr:CreateRepository", own, NotAllowed},
		{"ci.json", "sts:AssumeRole", "arn:aws:iam::111122223333:role/retail-deploy-prod", NotAllowed}, // by its own token only
		{"ci.json", "sts:AssumeRole", "arn:aws:iam::111122223333:role/admin", NotAllowed},
		{"ci.json", "eks:DescribeCluster", "arn:aws:eks:ap-southeast-1:111122223333:cluster/mlops-retail-cluster", NotAllowed},
		{"ci.json", "sns:Publish", "arn:aws:sns:ap-southeast-1:111122223333:retail-forecast-releases", Allowed},
		{"ci.json", "sagemaker:CreateTrainingJob", at + "sagemaker:ap-southeast-1:111122223333:training-job/slipway-a", Allowed},
		{"ci.json", "sagemaker:CreateTrainingJob", at + "sagemaker:ap-southeast-1:111122223333:training-job/other", NotAllowed},
		{"ci.json", "ecr:DescribeImages", at + "ecr:ap-southeast-1:111122223333:repository/mlops/retail-train", Allowed},
		{"ci.json", "ecr:PutImage", at + "ecr:ap-southeast-1:111122223333:repository/mlops/retail-train", NotAllowed},
		{"ci.json", "sagemaker:CreateEndpoint", at + "sagemaker:ap-southeast-1:111122223333:endpoint/slipway-a", NotAllowed},
		{"ci.json", "sagemaker:UpdateModelPackage", at + "sagemaker:ap-southeast-1:111122223333:model-package/retail-price-sensitivity-models/1", Allowed},
		{"ci.json", "sagemaker:UpdateModelPackage", at + "sagemaker:ap-southeast-1:111122223333:model-package/other/1", NotAllowed},
		{"ci.json", "sagemaker:DeleteModelPackage", at + "sagemaker:ap-southeast-1:111122223333:model-package/retail-price-sensitivity-models/1", NotAllowed},
		{"ci.json", "iam:PassRole", at + "iam::111122223333:role/retail-training", NotAllowed}, // to nothing but SageMaker
		{"ci.json", "s3:PutObject", at + "s3:::retail-forecast-111122223333/models/m", Allowed},
		{"ci.json", "s3:PutObject", at + "s3:::retail-forecast-111122223333/else", NotAllowed},
		{"ci.json", "s3:DeleteObject", at + "s3:::retail-forecast-111122223333/models/m", NotAllowed},
		{"ci.json", "cloudwatch:PutMetricAlarm", at + "cloudwatch:ap-southeast-1:111122223333:alarm:slipway/retail-api/prod/p95", NotAllowed},
		{"training.json", "s3:GetObject", at + "s3:::retail-forecast-111122223333/training/inputs/sha256/a.tar.gz", Allowed},
		{"training.json", "s3:PutObject", at + "s3:::retail-forecast-111122223333/training/inputs/sha256/a.tar.gz", NotAllowed},
		{"training.json", "sagemaker:UpdateModelPackage", at + "sagemaker:ap-southeast-1:111122223333:model-package/retail-price-sensitivity-models/1", NotAllowed},
		{"deploy.json", "cloudwatch:PutMetricAlarm", at + "cloudwatch:ap-southeast-1:111122223333:alarm:slipway/retail-api/prod/p95", Allowed},
		{"deploy.json", "cloudwatch:PutMetricAlarm", at + "cloudwatch:ap-southeast-1:111122223333:alarm:other", NotAllowed},
		{"deploy.json", "cloudwatch:PutMetricData", "*", NotAllowed}, // in no namespace but Slipway's
		{"deploy.json", "sagemaker:UpdateModelPackage", at + "sagemaker:ap-southeast-1:111122223333:model-package/retail-price-sensitivity-models/1", NotAllowed},
		{"deploy.json", "eks:DescribeCluster", "arn:aws:eks:ap-southeast-1:111122223333:cluster/mlops-retail-cluster", Allowed},
		{"deploy.json", "eks:DescribeCluster", "arn:aws:eks:ap-southeast-1:111122223333:cluster/other", NotAllowed},
		{"deploy.json", "ecr:PutImage", own, NotAllowed},
	} {
		if got := Decide([]Policy{example(t, tt.policy)}, nil, Access{Action: tt.action, Resource: tt.resource}); got != tt.want {
			t.Errorf("%s: %s on %s is %d, want %d", tt.policy, tt.action, tt.resource, got, tt.want)
		}
	}
	for _, service := range []string{"sagemaker.amazonaws.com", "ec2.amazonaws.com"} {
		pass := Access{Action: "iam:PassRole", Resource: at + "iam::111122223333:role/retail-training", Keys: map[string][]string{"iam:PassedToService": {service}}}
		if got := Decide([]Policy{example(t, "ci.json")}, nil, pass); (got == Allowed) != (service == "sagemaker.amazonaws.com") {
			t.Errorf("the training role passed to %s: %d", service, got)
		}
	}
	for _, namespace := range []string{"Slipway", "Other"} {
		put := Access{Action: "cloudwatch:PutMetricData", Resource: "*", Keys: map[string][]string{"cloudwatch:namespace": {namespace}}}
		if got := Decide([]Policy{example(t, "deploy.json")}, nil, put); (got == Allowed) != (namespace == "Slipway") {
			t.Errorf("metrics in %s: %d", namespace, got)
		}
	}
	for _, tt := range []struct {
		file, sub, id string
		want          bool
	}{
		{"ci-trust.json", "repo:OWNER/REPOSITORY:environment:prod", "REPOSITORY_ID", true},
		{"ci-trust.json", "repo:OWNER@OWNER_ID/REPOSITORY@REPOSITORY_ID:environment:prod", "REPOSITORY_ID", true},
		{"ci-trust.json", "repo:OWNER/REPOSITORY:environment:prod", "another", false},
		{"ci-trust.json", "repo:OWNER/REPOSITORY:pull_request", "REPOSITORY_ID", false},
		{"ci-trust.json", "repo:OWNER/REPOSITORY:ref:refs/heads/main", "REPOSITORY_ID", false},
		{"deploy-trust.json", "repo:OWNER/REPOSITORY:environment:ENVIRONMENT", "REPOSITORY_ID", true},
		{"deploy-trust.json", "repo:OWNER/REPOSITORY:environment:ENVIRONMENT", "another", false},
		{"deploy-trust.json", "repo:OWNER/REPOSITORY:environment:staging", "REPOSITORY_ID", false},
	} {
		const issuer = "token.actions.githubusercontent.com:"
		keys := map[string][]string{issuer + "sub": {tt.sub}, issuer + "repository_id": {tt.id}, issuer + "aud": {"sts.amazonaws.com"}}
		got := example(t, tt.file).trusts("Federated", []string{"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}, Access{Action: "sts:AssumeRoleWithWebIdentity", Keys: keys})
		if got != tt.want {
			t.Errorf("%s: %s of %s: %t, want %t", tt.file, tt.sub, tt.id, got, tt.want)
		}
	}
}

// TestExample_Documents: AWS has the actions, resources and keys of the example's policies.
func TestExample_Documents(t *testing.T) {
	files, err := filepath.Glob("../../../../examples/retail-aws/aws/iam/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range CheckDocument(string(text)) {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
	}
}
