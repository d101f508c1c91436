package awstest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// assume makes the lab's credentials those of a role, by the user's own.
func (l *lab) assume(t *testing.T, role string) error {
	t.Helper()
	out, err := sts.NewFromConfig(l.config).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(roleARN + role), RoleSessionName: aws.String("run")})
	if err != nil {
		return err
	}
	c := out.Credentials
	l.config.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	return nil
}

func (l *lab) publish(t *testing.T) error {
	t.Helper()
	_, err := sns.NewFromConfig(l.config).Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(topic), Message: aws.String("m")})
	return err
}

const alice = "arn:aws:iam::" + awstest.Account + ":user/alice"

// TestIAM_Decides: a role that was made by calls has the rights that calls gave it, and
// no others; its sessions end with it.
func TestIAM_Decides(t *testing.T) {
	l := newLab(t)
	l.AddTopic("releases")
	user := l.AddUser("alice")
	role := []string{"RoleName", "tell"}
	l.must(t, "CreateRole", append(role, "AssumeRolePolicyDocument", trustOfUser(alice)))
	l.must(t, "CreatePolicy", []string{"PolicyName", "rights", "PolicyDocument", rightsOfTopic})
	l.must(t, "CreatePolicy", []string{"PolicyName", "others", "PolicyDocument", strings.Replace(rightsOfTopic, "sns:", "ecr:", 1)})
	for _, step := range []struct {
		action string
		words  []string
		want   bool
	}{
		{"GetRole", nil, false},
		{"PutRolePolicy", []string{"PolicyName", "inline", "PolicyDocument", rightsOfTopic}, true},
		{"PutRolePermissionsBoundary", []string{"PermissionsBoundary", policyARN + "others"}, false},
		{"PutRolePermissionsBoundary", []string{"PermissionsBoundary", policyARN + "rights"}, true},
		{"DeleteRolePermissionsBoundary", nil, true},
		{"DeleteRolePolicy", []string{"PolicyName", "inline"}, false},
		{"AttachRolePolicy", []string{"PolicyArn", policyARN + "rights"}, true},
		{"DetachRolePolicy", []string{"PolicyArn", policyARN + "rights"}, false},
	} {
		l.as(user)
		l.must(t, step.action, append(slices.Clone(role), step.words...))
		if err := l.assume(t, "tell"); err != nil {
			t.Fatal(err)
		}
		if err := l.publish(t); (err == nil) != step.want {
			t.Errorf("after %s: %v", step.action, err)
		}
	}
	session := l.config.Credentials
	l.as(user)
	l.must(t, "DeleteRole", role)
	l.must(t, "CreateRole", append(role, "AssumeRolePolicyDocument", trustOfUser(alice)))
	l.must(t, "PutRolePolicy", append(role, "PolicyName", "inline", "PolicyDocument", rightsOfTopic))
	l.config.Credentials = session
	if err := l.publish(t); err == nil {
		t.Error("a session of the role that was deleted")
	}
}

// TestIAM_RecreatedPrincipal: a trust that names a role does not trust the next role of
// that name.
func TestIAM_RecreatedPrincipal(t *testing.T) {
	l := newLab(t)
	user := l.AddUser("alice")
	for role, trust := range map[string]string{"ci": trustOfUser(alice), "next": trustOfUser(alice)} {
		l.must(t, "CreateRole", []string{"RoleName", role, "AssumeRolePolicyDocument", trust})
	}
	l.must(t, "UpdateAssumeRolePolicy", []string{"RoleName", "next", "PolicyDocument", trustOfUser(roleARN + "ci")})
	l.must(t, "PutRolePolicy", []string{"RoleName", "ci", "PolicyName", "x", "PolicyDocument", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "` + roleARN + `next"}]}`})
	try := func() error {
		l.as(user)
		if err := l.assume(t, "ci"); err != nil {
			t.Fatal(err)
		}
		defer l.as(user)
		return l.assume(t, "next")
	}
	if err := try(); err != nil {
		t.Fatal(err)
	}
	l.must(t, "DeleteRolePolicy", []string{"RoleName", "ci", "PolicyName", "x"})
	l.must(t, "DeleteRole", []string{"RoleName", "ci"})
	l.must(t, "CreateRole", []string{"RoleName", "ci", "AssumeRolePolicyDocument", trustOfUser(alice)})
	l.must(t, "AttachRolePolicy", []string{"RoleName", "ci", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"})
	wantError(t, try(), "AccessDenied")
	l.must(t, "GetRole", []string{"RoleName", "next"}, "AROA")
}

// TestIAM_Delay: IAM itself knows a new role at once, the rest of AWS later.
func TestIAM_Delay(t *testing.T) {
	l := newLab(t)
	l.as(l.AddUser("alice"))
	l.DelayRoles(10 * time.Second)
	l.must(t, "CreateRole", []string{"RoleName", "new", "AssumeRolePolicyDocument", trustOfUser(alice)})
	l.must(t, "GetRole", []string{"RoleName", "new"})
	l.refused(t, "Invalid principal", "CreateRole", "RoleName", "next", "AssumeRolePolicyDocument", trustOfUser(roleARN+"new"))
	wantError(t, l.assume(t, "new"), "AccessDenied")
	l.now = l.now.Add(10 * time.Second)
	l.must(t, "CreateRole", []string{"RoleName", "next", "AssumeRolePolicyDocument", trustOfUser(roleARN + "new")})
	if err := l.assume(t, "new"); err != nil {
		t.Error(err)
	}
}

// TestIAM_WebIdentity: tokens count by the account's providers, whose keys are fetched from
// the issuers that there are.
func TestIAM_WebIdentity(t *testing.T) {
	l := newLab(t)
	issuer, err := awstest.NewIssuer(github)
	if err != nil {
		t.Fatal(err)
	}
	impostor, err := awstest.NewIssuer(github)
	if err != nil {
		t.Fatal(err)
	}
	trust := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": "` + providerARN + github + `"}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": {"StringEquals": {"` + github + `:sub": "repo:o/r:environment:prod", "` + github + `:aud": "sts.amazonaws.com"}}}]}`
	l.refused(t, "MalformedPolicyDocument", "CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", strings.Replace(trust, ":sub", ":ref", 1))
	l.must(t, "CreateRole", []string{"RoleName", "deploy", "AssumeRolePolicyDocument", trust})
	l.refused(t, "MalformedPolicyDocument", "UpdateAssumeRolePolicy", "RoleName", "deploy", "PolicyDocument", strings.Replace(trust, "StringEquals", "ForAllValues:StringEquals", 1))
	assume := func(by *awstest.Issuer, change map[string]any) error {
		claims := map[string]any{"sub": "repo:o/r:environment:prod", "aud": "sts.amazonaws.com", "exp": l.now.Add(time.Minute).Unix(), "nbf": l.now.Unix()}
		for name, value := range change {
			claims[name] = value
		}
		token, err := by.Token(claims)
		if err != nil {
			t.Fatal(err)
		}
		_, err = sts.NewFromConfig(l.config).AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String(roleARN + "deploy"), RoleSessionName: aws.String("job"), WebIdentityToken: &token})
		return err
	}
	wantError(t, assume(issuer, nil), "InvalidIdentityToken") // no provider
	l.must(t, "CreateOpenIDConnectProvider", []string{"Url", "https://" + github, "ClientIDList.member.1", "sts.amazonaws.com"})
	wantError(t, assume(issuer, nil), "InvalidIdentityToken") // nobody to fetch keys from
	l.AddIssuer(issuer)
	if err := assume(issuer, nil); err != nil {
		t.Error(err)
	}
	if err := assume(issuer, map[string]any{"aud": []string{"sts.amazonaws.com"}}); err != nil {
		t.Error(err)
	}
	wantError(t, assume(impostor, nil), "InvalidIdentityToken")
	wantError(t, assume(issuer, map[string]any{"aud": "other"}), "InvalidIdentityToken")
	wantError(t, assume(issuer, map[string]any{"sub": "repo:o/r:environment:dev"}), "AccessDenied")
	l.must(t, "UpdateAssumeRolePolicy", []string{"RoleName", "deploy", "PolicyDocument", strings.Replace(trust, `:aud": "sts.amazonaws.com"`, `:runner": "x"`, 1)})
	wantError(t, assume(issuer, map[string]any{"runner": "x"}), "AccessDenied") // a claim that is no condition key
	l.must(t, "UpdateAssumeRolePolicy", []string{"RoleName", "deploy", "PolicyDocument", strings.Replace(trust, `:aud": "sts.amazonaws.com"`, `:ref": "x"`, 1)})
	if err := assume(issuer, map[string]any{"ref": "x"}); err != nil {
		t.Error(err)
	}
	l.must(t, "DeleteOpenIDConnectProvider", []string{"OpenIDConnectProviderArn", providerARN + github})
	wantError(t, assume(issuer, nil), "InvalidIdentityToken")
}

// TestIAM_Administrator: who may change IAM only within conditions.
func TestIAM_Administrator(t *testing.T) {
	l := newLab(t)
	l.must(t, "CreatePolicy", []string{"PolicyName", "bounds", "PolicyDocument", rightsOfTopic})
	l.must(t, "CreateRole", []string{"RoleName", "theirs", "AssumeRolePolicyDocument", trustOfSageMaker})
	if err := l.SetPolicies("user/alice", "", `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["iam:CreateRole", "iam:PutRolePolicy"], "Resource": "`+roleARN+`slipway-*", "Condition": {"StringEquals": {"iam:PermissionsBoundary": "`+policyARN+`bounds"}}},
		{"Effect": "Allow", "Action": "iam:TagRole", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/slipway:project": "retail"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["slipway:project"]}}},
		{"Effect": "Allow", "Action": "iam:AttachRolePolicy", "Resource": "*", "Condition": {"ArnEquals": {"iam:PolicyARN": "`+policyARN+`bounds"}}},
		{"Effect": "Allow", "Action": "iam:DeleteRole", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/slipway:project": "retail"}}}]}`); err != nil {
		t.Fatal(err)
	}
	create := []string{"RoleName", "slipway-a", "AssumeRolePolicyDocument", trustOfSageMaker, "PermissionsBoundary", policyARN + "bounds", "Tags.member.1.Key", "slipway:project", "Tags.member.1.Value"}
	l.refused(t, "iam:CreateRole", "CreateRole", create[:4]...) // no boundary
	l.refused(t, "iam:TagRole", "CreateRole", append(create, "other")...)
	l.must(t, "CreateRole", append(create, "retail"))
	l.refused(t, "iam:TagRole", "TagRole", "RoleName", "slipway-a", "Tags.member.1.Key", "x", "Tags.member.1.Value", "y")
	l.must(t, "PutRolePolicy", []string{"RoleName", "slipway-a", "PolicyName", "p", "PolicyDocument", rightsOfTopic})
	l.refused(t, "iam:PutRolePolicy", "PutRolePolicy", "RoleName", "theirs", "PolicyName", "p", "PolicyDocument", rightsOfTopic)
	l.refused(t, "iam:AttachRolePolicy", "AttachRolePolicy", "RoleName", "slipway-a", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")
	l.must(t, "AttachRolePolicy", []string{"RoleName", "slipway-a", "PolicyArn", policyARN + "bounds"})
	l.refused(t, "iam:DeleteRole", "DeleteRole", "RoleName", "theirs")
	l.refused(t, "DeleteConflict", "DeleteRole", "RoleName", "slipway-a")
	if err := l.SetPolicies("user/alice", "", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*", "Condition": {"ArnEquals": {"aws:PrincipalArn": "`+alice+`"}, "StringEquals": {"aws:RequestedRegion": "`+awstest.Region+`"}}}]}`); err != nil {
		t.Fatal(err)
	}
	l.must(t, "GetRole", []string{"RoleName", "theirs"})
	l.refused(t, "iam:GetAccountAuthorizationDetails", "GetAccountAuthorizationDetails")
}
