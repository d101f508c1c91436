package account_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/account"
)

// handMade is a role as people make one: whoever pushes a branch has it, and with it most
// of the account; yet its trainings fail.
var handMade = account.ExistingRole{
	Name: "actions",
	Trust: `{"Version": "2012-10-17", "Statement": {"Sid": "Actions", "Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
		"Action": "sts:AssumeRoleWithWebIdentity", "Condition": {
			"StringLike": {"token.actions.githubusercontent.com:sub": "repo:acme/shop:*"}, "ForAllValues:StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}}}`,
	Policies: map[string]string{
		"images": `{"Version": "2012-10-17", "Statement": [{"Sid": "Images", "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ecr:PutImage", "ecr:ListImages"], "Resource": "*"}]}`,
		"models": `{"Version": "2012-10-17", "Statement": [
			{"Sid": "Train", "Effect": "Allow", "Action": ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob"], "Resource": ["*"]},
			{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::shop-*/*"},
			{"Sid": "Publish", "Effect": "Allow", "Action": "sns:Publish", "Resource": "arn:aws:sns:*:*:shop-*"}]}`,
	},
}

// needed is what a run of the shop calls.
var needed = account.Set{Resources: []account.Resource{{Kind: account.KindRole, Name: "shop-ci", Spec: account.Role{Rights: account.Document{Statements: []account.Statement{
	{Sid: "LogIn", Actions: []string{"ecr:GetAuthorizationToken"}, Resources: []string{"*"}},
	{Sid: "Push", Actions: []string{"ecr:PutImage"}, Resources: []string{"arn:aws:ecr:r:111122223333:repository/shop"}},
	{Sid: "Train", Actions: []string{"sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob"}, Resources: []string{"arn:aws:sagemaker:r:111122223333:training-job/slipway-*"}},
	{Sid: "Tag", Actions: []string{"sagemaker:AddTags"}, Resources: []string{"arn:aws:sagemaker:r:111122223333:training-job/slipway-*"}},
	{Sid: "Pass", Actions: []string{"iam:PassRole"}, Resources: []string{"arn:aws:iam::111122223333:role/shop-training"}, Conditions: account.Conditions{"StringEquals": {"iam:PassedToService": {"sagemaker.amazonaws.com"}}}},
	{Sid: "Tell", Actions: []string{"sns:Publish"}, Resources: []string{"arn:aws:sns:r:111122223333:shop"}},
}}}}}}

// TestFindings_HandMade: each fault is named once, with where it is, why it is one, and what to do.
func TestFindings_HandMade(t *testing.T) {
	t.Parallel()
	want := []string{
		"actions, trust, statement Actions: ForAllValues:StringEquals on token.actions.githubusercontent.com:aud: it is true of a token that lacks the claim. Use StringEquals.",
		"actions, trust, statement Actions: token.actions.githubusercontent.com:sub may be repo:acme/shop:*: any branch, tag and pull request of the repository may assume the role. Name the environment by StringEquals, and its branches in token.actions.githubusercontent.com:ref.",
		"actions, trust, statement Actions: it does not test token.actions.githubusercontent.com:aud: tokens that were made for others than AWS are taken. Test it by StringEquals.",
		"actions, trust, statement Actions: it does not test token.actions.githubusercontent.com:repository_id: whoever gets the name after it was given up may assume the role. Test the repository's number by StringEquals.",
		"actions, images, statement Images: it allows ecr:PutImage, ecr:ListImages on *: that is what others in the account have, too. Name the ARNs that are used: slipway aws policy prints them.",
		"actions, images, statement Images: it allows ecr:ListImages: no run of the project calls that. Remove it.",
		"actions, models, statement Train: it allows sagemaker:CreateTrainingJob, sagemaker:DescribeTrainingJob on *: that is what others in the account have, too. Name the ARNs that are used: slipway aws policy prints them.",
		"actions, models, statement 2: it allows s3:*: that is more than any run calls, and grows with AWS. Name the actions that are used: slipway aws policy prints them.",
		"actions, models, statement 2: it allows s3:* on arn:aws:s3:::shop-*/*: that is what others in the account have, too. Name the ARNs that are used: slipway aws policy prints them.",
		"actions, models, statement Publish: it allows sns:Publish on arn:aws:sns:*:*:shop-*: that is what others in the account have, too. Name the ARNs that are used: slipway aws policy prints them.",
		"actions, its policies: they lack sagemaker:AddTags on arn:aws:sagemaker:r:111122223333:training-job/slipway-*: SageMaker refuses jobs that are made with tags, as slipway.yaml has them. Add it, or remove tags.",
		"actions, its policies: they lack iam:PassRole on arn:aws:iam::111122223333:role/shop-training: SageMaker refuses every job, because it is made with that role. Add it, with iam:PassedToService: sagemaker.amazonaws.com.",
	}
	var got []string
	for _, f := range account.Findings([]account.ExistingRole{handMade}, needed) {
		got = append(got, f.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFindings_Trust: what a trust alone is found for.
func TestFindings_Trust(t *testing.T) {
	t.Parallel()
	const key = `"token.actions.githubusercontent.com:`
	trust := func(condition string) string {
		return `{"Statement": [{"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {` + condition + `}}]}`
	}
	all := `"StringEquals": {` + key + `aud": "sts.amazonaws.com", ` + key + `repository_id": "1", ` + key + `ref": "refs/heads/main", `
	for _, tt := range []struct {
		name, trust string
		want        []string // what
	}{
		{"exact", trust(all + key + `sub": "repo:o/r:environment:prod"}`), nil},
		{"a pattern of tags", trust(`"StringLike": {` + key + `sub": "repo:o/r:ref:refs/tags/v*"}, ` + all[:len(all)-2] + `}`), nil},
		{"no subject", trust(all[:len(all)-2] + `}`), []string{"it does not test token.actions.githubusercontent.com:sub"}},
		{"any repository", trust(`"StringLike": {` + key + `sub": "repo:o/*"}, ` + all[:len(all)-2] + `}`), []string{"token.actions.githubusercontent.com:sub may be repo:o/*"}},
		{"an environment from any branch", trust(`"StringEquals": {` + key + `aud": "a", ` + key + `repository_id": "1", ` + key + `sub": "repo:o/r:environment:prod"}`), []string{"it does not test token.actions.githubusercontent.com:ref"}},
		{"everybody", `{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}`, []string{"its principal is *"}},
		{"not a policy", `[]`, []string{"it can't be read"}},
		{"a deny", `{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}}`, nil},
	} {
		var got []string
		for _, f := range account.Findings([]account.ExistingRole{{Name: "r", Trust: tt.trust}}, account.Set{}) {
			got = append(got, f.What)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestFindings_PassRole: a role that any service may get, and rights that nobody needs.
func TestFindings_PassRole(t *testing.T) {
	t.Parallel()
	role := account.ExistingRole{
		Name: "shop-ci", Trust: `{"Statement": []}`,
		Policies: map[string]string{"p": `{"Statement": [{"Effect": "Allow", "Action": ["iam:PassRole", "iam:CreateRole"], "Resource": "arn:aws:iam::111122223333:role/shop-training"}, {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}`},
	}
	var got []string
	for _, f := range account.Findings([]account.ExistingRole{role}, needed) {
		got = append(got, f.Statement+": "+f.What)
	}
	want := []string{"1: it allows iam:PassRole without iam:PassedToService", "1: it allows iam:CreateRole", "2: it allows everything but iam:*"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
