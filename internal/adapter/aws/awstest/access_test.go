package awstest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// Calls of a principal with policies are allowed by them, resource by resource; one
// without is allowed everything.
func TestCloud_Authorizes(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	for _, name := range []string{"ours", "theirs"} {
		l.AddRepository(awstest.Repository{Name: name})
		l.AddCluster(awstest.Cluster{Name: name, Endpoint: "https://1.2.3.4", CA: []byte("pem")})
	}
	ours, theirs := l.AddTopic("ours"), l.AddTopic("theirs")
	describe := func(name string) error {
		_, err := ecr.NewFromConfig(l.config).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{name}})
		return err
	}
	if err := describe("theirs"); err != nil {
		t.Errorf("without policies: %v", err)
	}
	err := l.SetPolicies("user/alice", "", `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["ecr:Describe*"], "Resource": "arn:aws:ecr:*:*:repository/ours"},
		{"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
		{"Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": "arn:aws:eks:*:*:cluster/ours"},
		{"Effect": "Allow", "Action": "sns:Publish", "Resource": "`+ours+`"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ours", "theirs"} {
		topic := map[string]string{"ours": ours, "theirs": theirs}[name]
		_, eksErr := eks.NewFromConfig(l.config).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
		_, snsErr := sns.NewFromConfig(l.config).Publish(ctx, &sns.PublishInput{TopicArn: &topic, Message: aws.String("m")})
		for _, one := range []struct {
			err  error
			code string
		}{{describe(name), "AccessDeniedException"}, {eksErr, "AccessDeniedException"}, {snsErr, "AccessDenied"}} {
			if name == "ours" && one.err != nil {
				t.Errorf("ours: %v", one.err)
			} else if name == "theirs" {
				wantError(t, one.err, one.code)
			}
		}
	}
	if _, err := ecr.NewFromConfig(l.config).GetAuthorizationToken(ctx, nil); err != nil {
		t.Error(err)
	}
	if _, err := sts.NewFromConfig(l.config).GetCallerIdentity(ctx, nil); err != nil {
		t.Errorf("which needs no permission: %v", err)
	}
	allowed := 0
	for _, j := range l.Judgements() {
		if j.Decision == awstest.Allowed {
			allowed++
		}
	}
	if len(l.Judgements()) != 7 || allowed != 4 {
		t.Errorf("judged %+v", l.Judgements())
	}
}

const github = "token.actions.githubusercontent.com"

// TestCloud_TrustPolicy: which tokens of GitHub a trust policy lets in. A recycled name
// has another repository_id, whichever form of subject it sends.
func TestCloud_TrustPolicy(t *testing.T) {
	l := newLab(t)
	issuer, err := awstest.NewIssuer(github)
	if err != nil {
		t.Fatal(err)
	}
	trust := func(condition string) string {
		return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::` + awstest.Account + `:oidc-provider/` + github + `"},
			"Action": "sts:AssumeRoleWithWebIdentity", "Condition": ` + condition + `}]}`
	}
	both := trust(`{"StringEquals": {"` + github + `:aud": "sts.amazonaws.com", "` + github + `:repository_id": "42",
		"` + github + `:sub": ["repo:o/r:environment:prod", "repo:o@7/r@42:environment:prod"]}}`)
	if err := l.AddTrustedRole("deploy", both, issuer); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change map[string]any
		want   string
	}{
		{"old form", nil, ""},
		{"form with IDs", map[string]any{"sub": "repo:o@7/r@42:environment:prod"}, ""},
		{"recycled name, old form", map[string]any{"repository_id": "43"}, "AccessDenied"},
		{"another environment", map[string]any{"sub": "repo:o/r:environment:dev"}, "AccessDenied"},
		{"pull request", map[string]any{"sub": "repo:o/r:pull_request"}, "AccessDenied"},
		{"missing claim", map[string]any{"repository_id": nil}, "AccessDenied"},
		{"audience", map[string]any{"aud": "other"}, "AccessDenied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			claims := map[string]any{"sub": "repo:o/r:environment:prod", "aud": "sts.amazonaws.com", "repository_id": "42", "exp": l.now.Add(time.Minute).Unix(), "nbf": l.now.Unix()}
			for name, value := range tt.change {
				claims[name] = value
				if value == nil {
					delete(claims, name)
				}
			}
			token, err := issuer.Token(claims)
			if err != nil {
				t.Fatal(err)
			}
			_, err = sts.NewFromConfig(l.config).AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
				RoleArn: aws.String("arn:aws:iam::" + awstest.Account + ":role/deploy"), RoleSessionName: aws.String("job"), WebIdentityToken: &token,
			})
			if tt.want != "" {
				wantError(t, err, tt.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	for name, condition := range map[string]string{
		"no subject":   `{"StringEquals": {"` + github + `:aud": "sts.amazonaws.com"}}`,
		"any subject":  `{"StringLike": {"` + github + `:sub": "*"}}`,
		"ForAllValues": `{"ForAllValues:StringEquals": {"` + github + `:sub": "repo:o/r:environment:prod"}}`,
	} {
		if err := l.AddTrustedRole("loose", trust(condition), issuer); err == nil || !strings.Contains(err.Error(), "MalformedPolicyDocument") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A role that another principal assumes, and what its own policies allow then.
func TestCloud_TrustOfPrincipals(t *testing.T) {
	l := newLab(t)
	err := l.AddTrustedRole("deploy", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::`+awstest.Account+`:user/alice"}, "Action": "sts:AssumeRole"}]}`, nil)
	if err == nil {
		err = l.SetPolicies("role/deploy", "", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}]}`)
	}
	if err != nil {
		t.Fatal(err)
	}
	in := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + awstest.Account + ":role/deploy"), RoleSessionName: aws.String("run")}
	out, err := sts.NewFromConfig(l.config).AssumeRole(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	l.as(l.AddUser("mallory"))
	_, err = sts.NewFromConfig(l.config).AssumeRole(t.Context(), in)
	wantError(t, err, "AccessDenied")
	c := out.Credentials
	l.config.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	if _, err := ecr.NewFromConfig(l.config).GetAuthorizationToken(t.Context(), nil); err != nil {
		t.Error(err)
	}
	_, err = ecr.NewFromConfig(l.config).DescribeRepositories(t.Context(), nil)
	wantError(t, err, "AccessDeniedException")
}
