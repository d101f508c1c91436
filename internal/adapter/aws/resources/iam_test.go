package resources

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

const (
	roleName  = "retail-prod"
	iamPrefix = "arn:aws:iam::" + awstest.Account + ":"
	openTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + iamPrefix + `root"},"Action":"sts:AssumeRole"}]}`
	openRight = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
)

func wantedRole() account.Resource {
	return account.Resource{
		Kind: account.KindRole, Name: roleName, ARN: iamPrefix + "role/" + roleName, Environment: "prod", Why: "deploys to prod",
		Spec: account.Role{
			Description: "What runs of retail may do in prod.", MaxSession: time.Hour, Boundary: iamPrefix + "policy/retail-boundary",
			Trust: account.Document{Statements: []account.Statement{{
				Sid: "SageMaker", Actions: []string{"sts:AssumeRole"}, Principals: account.Principals{"Service": {"sagemaker.amazonaws.com"}},
				Conditions: account.Conditions{"StringEquals": {"aws:SourceAccount": {awstest.Account}}},
			}}},
			Rights: account.Document{Statements: []account.Statement{{Sid: "Push", Actions: []string{"ecr:PutImage"}, Resources: []string{"arn:aws:ecr:" + awstest.Region + ":" + awstest.Account + ":repository/mlops/retail"}}}},
		},
	}
}

func TestRole_Conformance(t *testing.T) {
	run(t, func(l *lab) porttest.AccountFixture {
		if err := l.AddManagedPolicy(iamPrefix+"policy/retail-boundary", openRight); err != nil {
			t.Fatal(err)
		}
		if err := l.AddManagedPolicy("arn:aws:iam::aws:policy/AdministratorAccess", openRight); err != nil {
			t.Fatal(err)
		}
		name := func(pairs ...string) []string { return append([]string{"RoleName", roleName}, pairs...) }
		return l.fixture(wantedRole(), l.byHand("CreateRole", name("AssumeRolePolicyDocument", openTrust)...), map[string]func(){
			"another trust":             l.byHand("UpdateAssumeRolePolicy", name("PolicyDocument", openTrust)...),
			"wider rights":              l.byHand("PutRolePolicy", name("PolicyName", account.InlinePolicy, "PolicyDocument", openRight)...),
			"rights taken":              l.byHand("DeleteRolePolicy", name("PolicyName", account.InlinePolicy)...),
			"a second policy":           l.byHand("PutRolePolicy", name("PolicyName", "debug", "PolicyDocument", openRight)...),
			"a policy attached":         l.byHand("AttachRolePolicy", name("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")...),
			"the boundary taken":        l.byHand("DeleteRolePermissionsBoundary", name()...),
			"longer sessions":           l.byHand("UpdateRole", name("MaxSessionDuration", "43200", "Description", "What runs of retail may do in prod.")...),
			"the environment's tag":     l.byHand("UntagRole", name("TagKeys.member.1", account.TagEnvironment)...),
			"another environment's tag": l.byHand("TagRole", name("Tags.member.1.Key", account.TagEnvironment, "Tags.member.1.Value", "dev")...),
		})
	})
}

func TestPolicy_Conformance(t *testing.T) {
	arn := iamPrefix + "policy/retail-approver"
	want := account.Resource{Kind: account.KindPolicy, Name: "retail-approver", ARN: arn, Why: "who approves models", Spec: account.Policy{
		Description: "Approves models of retail.",
		Document: account.Document{Statements: []account.Statement{{
			Sid: "Approve", Actions: []string{"sagemaker:UpdateModelPackage"}, Resources: []string{"arn:aws:sagemaker:" + awstest.Region + ":" + awstest.Account + ":model-package/retail/*"},
		}}},
	}}
	run(t, func(l *lab) porttest.AccountFixture {
		wider := l.byHand("CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", openRight, "SetAsDefault", "true")
		return l.fixture(want, l.byHand("CreatePolicy", "PolicyName", want.Name, "PolicyDocument", openRight), map[string]func(){
			"another version": wider, "and another": wider,
		})
	})
}

// A policy keeps five versions: the oldest one goes for the one that repairs it.
func TestPolicy_FifthVersion(t *testing.T) {
	l := newLab(t)
	arn := iamPrefix + "policy/retail"
	want := account.Resource{Kind: account.KindPolicy, Name: "retail", ARN: arn, Spec: account.Policy{
		Document: account.Document{Statements: []account.Statement{{Sid: "Read", Actions: []string{"s3:GetObject"}, Resources: []string{"arn:aws:s3:::retail/*"}}}},
	}}
	tags := map[string]string{account.TagProject: "retail"}
	p := policy{l.account}
	if err := p.Create(t.Context(), want, tags); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		l.byHand("CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", openRight, "SetAsDefault", "true")()
	}
	for range 2 { // the second time, nothing is to be changed
		if err := p.Update(t.Context(), want, tags); err != nil {
			t.Fatal(err)
		}
	}
	o, err := p.Read(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := account.Diff(want.Spec, o.Spec); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	if n := l.Count("iam", "CreatePolicyVersion"); n != 5 {
		t.Errorf("%d versions were made", n)
	}
}

func TestProvider_Conformance(t *testing.T) {
	const issuer = "token.actions.githubusercontent.com"
	arn := iamPrefix + "oidc-provider/" + issuer
	want := account.Resource{Kind: account.KindProvider, Name: issuer, ARN: arn, Shared: true, Why: "tokens of GitHub", Spec: account.Provider{URL: issuer, Audiences: []string{"sts.amazonaws.com"}}}
	run(t, func(l *lab) porttest.AccountFixture {
		return l.fixture(want, l.byHand("CreateOpenIDConnectProvider", "Url", "https://"+issuer, "ClientIDList.member.1", "https://github.com/o"), map[string]func(){
			"the audience taken": l.byHand("RemoveClientIDFromOpenIDConnectProvider", "OpenIDConnectProviderArn", arn, "ClientID", "sts.amazonaws.com"),
		})
	})
}
