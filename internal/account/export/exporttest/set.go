// Package exporttest is a set for the tests of exports: every kind of resource, with
// references, names that collide, and texts that need quotes.
package exporttest

import (
	"time"

	"github.com/slipway-cd/slipway/internal/account"
)

const (
	issuer  = "token.actions.githubusercontent.com"
	accNo   = "111122223333"
	inIAM   = "arn:aws:iam::" + accNo + ":"
	inHere  = ":ap-southeast-1:" + accNo + ":"
	cluster = "mlops-retail-cluster"
)

// Retail is the set of the retail example, by hand.
func Retail() account.Set {
	provider, boundary := inIAM+"oidc-provider/"+issuer, inIAM+"policy/slipway/retail-api-boundary"
	execution, deploy := inIAM+"role/retail-training", inIAM+"role/slipway/retail-deploy-prod"
	repository, bucket := "arn:aws:ecr"+inHere+"repository/mlops/retail-api", "arn:aws:s3:::retail-ml"
	topic, logs := "arn:aws:sns"+inHere+"retail-releases", "arn:aws:logs"+inHere+"log-group:/slipway/retail"
	return account.Set{Account: accNo, Region: "ap-southeast-1", Project: "retail-api", Resources: []account.Resource{
		{Kind: account.KindBucket, Name: "retail-ml", ARN: bucket, Data: true, Why: "models, and what jobs read", Spec: account.Bucket{Versioned: true, Expire: map[string]int{"jobs/": 30, "tmp/": 7}}},
		{Kind: account.KindBucket, Name: "retail.ml", ARN: "arn:aws:s3:::retail.ml", Data: true, Why: "state that machines share", Spec: account.Bucket{}},
		{Kind: account.KindProvider, Name: issuer, ARN: provider, Shared: true, Why: "tokens of GitHub's jobs", Spec: account.Provider{URL: issuer, Audiences: []string{"sts.amazonaws.com"}}},
		{Kind: account.KindProvider, Name: "gitlab.example.com", ARN: inIAM + "oidc-provider/gitlab.example.com", Why: "tokens of GitLab's jobs", Spec: account.Provider{URL: "gitlab.example.com", Audiences: []string{"https://gitlab.example.com"}}},
		{Kind: account.KindPolicy, Name: "retail-api-boundary", ARN: boundary, Why: "what no role of the project may exceed", Spec: account.Policy{Description: `At most this ("all")`, Document: account.Document{Statements: []account.Statement{
			{Sid: "Pass", Actions: []string{"iam:PassRole"}, Resources: []string{execution}},
			{Sid: "NotIAM", Deny: true, Actions: []string{"iam:*"}, Resources: []string{"*"}, Conditions: account.Conditions{"StringNotLike": {"aws:PrincipalArn": {inIAM + "role/${aws:username}"}}}},
		}}}},
		{Kind: account.KindRole, Name: "retail-training", ARN: execution, Why: "training jobs work as it", Spec: account.Role{
			Description: "Training of retail-api", Boundary: boundary, MaxSession: time.Hour,
			Trust:  account.Document{Statements: []account.Statement{{Principals: account.Principals{"Service": {"sagemaker.amazonaws.com"}}, Actions: []string{"sts:AssumeRole"}, Conditions: account.Conditions{"StringEquals": {"aws:SourceAccount": {accNo}}}}}},
			Rights: account.Document{Statements: []account.Statement{{Sid: "Data", Actions: []string{"s3:GetObject", "s3:PutObject"}, Resources: []string{bucket + "/jobs/*"}}}},
		}},
		{Kind: account.KindRole, Name: "retail-deploy-prod", ARN: deploy, Environment: "prod", Why: "deploys to prod", Spec: account.Role{
			Description: "Deploys retail-api to prod", MaxSession: time.Hour, Boundary: boundary,
			Trust: account.Document{Statements: []account.Statement{{Principals: account.Principals{"Federated": {provider}}, Actions: []string{"sts:AssumeRoleWithWebIdentity"}, Conditions: account.Conditions{
				"StringEquals": {issuer + ":aud": {"sts.amazonaws.com"}, issuer + ":repository_id": {"123"}, issuer + ":sub": {"repo:o/r:environment:prod", "repo:o@456/r@123:environment:prod"}},
				"StringLike":   {issuer + ":ref": {"refs/tags/v*"}},
			}}}},
			Rights: account.Document{Statements: []account.Statement{
				{Sid: "Push", Actions: []string{"ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"}, Resources: []string{repository}},
				{Sid: "Pass", Actions: []string{"iam:PassRole"}, Resources: []string{execution}, Conditions: account.Conditions{"StringEquals": {"iam:PassedToService": {"sagemaker.amazonaws.com"}}}},
			}},
		}},
		{Kind: account.KindRepository, Name: "mlops/retail-api", ARN: repository, Data: true, Why: "images of releases", Spec: account.Repository{Immutable: true, ScanOnPush: true, UntaggedDays: 14}},
		{Kind: account.KindModelGroup, Name: "retail-models", ARN: "arn:aws:sagemaker" + inHere + "model-package-group/retail-models", Data: true, Why: "versions of the model", Spec: account.ModelGroup{Description: "Models of retail-api"}},
		{Kind: account.KindLogGroup, Name: "/slipway/retail", ARN: logs, Data: true, Why: "logs of runs", Spec: account.LogGroup{RetentionDays: 90}},
		{Kind: account.KindTopic, Name: "retail-releases", ARN: topic, Why: "who is told of releases", Spec: account.Topic{}},
		{Kind: account.KindPolicy, Name: "retail-api-approver", ARN: inIAM + "policy/retail-api-approver", Why: "people who approve models", Spec: account.Policy{Document: account.Document{Statements: []account.Statement{
			{Sid: "Told", Actions: []string{"sns:Subscribe"}, Resources: []string{topic}},
			{Sid: "Logs", Actions: []string{"logs:GetLogEvents"}, Resources: []string{logs + ":log-stream:*"}},
		}}}},
		{Kind: account.KindPodIdentity, Name: cluster + "/mlops/retail-api", Environment: "prod", Why: "what the service itself may do", Spec: account.PodIdentity{Cluster: cluster, Namespace: "mlops", ServiceAccount: "retail-api", Role: execution}},
		{Kind: account.KindNamespace, Name: cluster + "/mlops", Environment: "prod", Why: "delivering to the namespace", Spec: account.NamespaceRights{Cluster: cluster, Namespace: "mlops", Group: "slipway:mlops"}},
		{Kind: account.KindAccessEntry, Name: cluster + "/" + deploy, Environment: "prod", Why: "the role's group in the cluster", Spec: account.AccessEntry{Cluster: cluster, Principal: deploy, Groups: []string{"slipway:mlops"}}},
	}}
}
