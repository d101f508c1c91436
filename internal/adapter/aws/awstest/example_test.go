package awstest

import (
	"os"
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
		{"ci.json", "sts:AssumeRole", "arn:aws:iam::111122223333:role/retail-deploy-prod", Allowed},
		{"ci.json", "sts:AssumeRole", "arn:aws:iam::111122223333:role/admin", NotAllowed},
		{"ci.json", "eks:DescribeCluster", "arn:aws:eks:ap-southeast-1:111122223333:cluster/mlops-retail-cluster", NotAllowed},
		{"ci.json", "sns:Publish", "arn:aws:sns:ap-southeast-1:111122223333:retail-forecast-releases", Allowed},
		{"deploy.json", "eks:DescribeCluster", "arn:aws:eks:ap-southeast-1:111122223333:cluster/mlops-retail-cluster", Allowed},
		{"deploy.json", "eks:DescribeCluster", "arn:aws:eks:ap-southeast-1:111122223333:cluster/other", NotAllowed},
		{"deploy.json", "ecr:PutImage", own, NotAllowed},
	} {
		if got := Decide([]Policy{example(t, tt.policy)}, nil, Access{Action: tt.action, Resource: tt.resource}); got != tt.want {
			t.Errorf("%s: %s on %s is %d, want %d", tt.policy, tt.action, tt.resource, got, tt.want)
		}
	}
	trust := example(t, "ci-trust.json")
	for _, tt := range []struct {
		sub, id string
		want    bool
	}{
		{"repo:OWNER/REPOSITORY:environment:prod", "REPOSITORY_ID", true},
		{"repo:OWNER@OWNER_ID/REPOSITORY@REPOSITORY_ID:environment:prod", "REPOSITORY_ID", true},
		{"repo:OWNER/REPOSITORY:environment:prod", "another", false},
		{"repo:OWNER/REPOSITORY:pull_request", "REPOSITORY_ID", false},
		{"repo:OWNER/REPOSITORY:ref:refs/heads/main", "REPOSITORY_ID", false},
	} {
		const issuer = "token.actions.githubusercontent.com:"
		keys := map[string][]string{issuer + "sub": {tt.sub}, issuer + "repository_id": {tt.id}, issuer + "aud": {"sts.amazonaws.com"}}
		got := trust.trusts("Federated", []string{"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}, Access{Action: "sts:AssumeRoleWithWebIdentity", Keys: keys})
		if got != tt.want {
			t.Errorf("%s of %s: %t, want %t", tt.sub, tt.id, got, tt.want)
		}
	}
}
