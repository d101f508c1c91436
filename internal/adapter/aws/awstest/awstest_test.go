package awstest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// lab is a cloud and a client's configuration for it.
type lab struct {
	*awstest.Lab
	now    time.Time
	config aws.Config
}

func newLab(t *testing.T) *lab {
	t.Helper()
	return newLabWith(t, awstest.Config{})
}

func newLabWith(t *testing.T, config awstest.Config) *lab {
	t.Helper()
	l := &lab{now: time.Now()}
	config.Clock = func() time.Time { return l.now }
	l.Lab = awstest.Start(t, config)
	l.config = aws.Config{Region: awstest.Region, HTTPClient: l.Client, Retryer: func() aws.Retryer { return aws.NopRetryer{} }}
	l.as(l.AddUser("alice"))
	return l
}

func (l *lab) as(p awstest.Principal) {
	l.config.Credentials = credentials.NewStaticCredentialsProvider(p.AccessKey, p.SecretKey, p.SessionToken)
}

// wantError requires AWS's error of that code.
func wantError(t *testing.T, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

// The four protocols that are spoken so far, each with the SDK's own client.
func TestCloud_Protocols(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	l.AddRepository(awstest.Repository{Name: "mlops/retail-api"})
	l.AddCluster(awstest.Cluster{Name: "mlops", Endpoint: "https://1.2.3.4", Version: "1.36", CA: []byte("pem")})
	topic := l.AddTopic("releases")

	who, err := sts.NewFromConfig(l.config).GetCallerIdentity(ctx, nil)
	if err != nil || *who.Account != awstest.Account || !strings.HasSuffix(*who.Arn, ":user/alice") {
		t.Errorf("GetCallerIdentity: %+v, %v", who, err)
	}
	repos, err := ecr.NewFromConfig(l.config).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"mlops/retail-api"}})
	if err != nil || repos.Repositories[0].ImageTagMutability != ecrtypes.ImageTagMutabilityImmutable {
		t.Errorf("DescribeRepositories: %+v, %v", repos, err)
	}
	token, err := ecr.NewFromConfig(l.config).GetAuthorizationToken(ctx, nil)
	if err != nil || token.AuthorizationData[0].ExpiresAt.Sub(l.now).Round(time.Minute) != 12*time.Hour {
		t.Errorf("GetAuthorizationToken: %+v, %v", token, err)
	}
	k, err := eks.NewFromConfig(l.config).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("mlops")})
	if err != nil || *k.Cluster.Version != "1.36" || *k.Cluster.CertificateAuthority.Data != "cGVt" {
		t.Errorf("DescribeCluster: %+v, %v", k, err)
	}
	if _, err = sns.NewFromConfig(l.config).Publish(ctx, &sns.PublishInput{TopicArn: &topic, Subject: aws.String("hello"), Message: aws.String("a <b> & c")}); err != nil {
		t.Error(err)
	}
	if m := l.Messages(topic); len(m) != 1 || m[0].Text != "a <b> & c" {
		t.Errorf("messages %+v", m)
	}
}

func TestCloud_Errors(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	_, err := ecr.NewFromConfig(l.config).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"absent"}})
	wantError(t, err, "RepositoryNotFoundException")
	_, err = eks.NewFromConfig(l.config).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("absent")})
	wantError(t, err, "ResourceNotFoundException")
	_, err = sns.NewFromConfig(l.config).Publish(ctx, &sns.PublishInput{TopicArn: aws.String("arn:aws:sns:x:1:absent"), Message: aws.String("m")})
	wantError(t, err, "NotFound")
	_, err = eks.NewFromConfig(l.config).ListClusters(ctx, nil)
	wantError(t, err, "UnknownOperationException")
	if err := l.Invalid(); err != nil {
		t.Errorf("requests that no model refuses: %v", err)
	}
	_, err = ecr.NewFromConfig(l.config).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"UPPER"}})
	wantError(t, err, "ValidationException")
	if l.Invalid() == nil {
		t.Error("a request that the model refuses is not remembered")
	}
}

// Who calls is proved by the signature, its time and the session.
func TestCloud_Authenticates(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*lab, *awstest.Principal)
		want   string
	}{
		{"wrong secret", func(_ *lab, p *awstest.Principal) { p.SecretKey += "x" }, "SignatureDoesNotMatch"},
		{"unknown key", func(_ *lab, p *awstest.Principal) { p.AccessKey = "AKIA000000000000ZZZZ" }, "UnrecognizedClientException"},
		{"session token of another", func(_ *lab, p *awstest.Principal) { p.SessionToken = "other" }, "UnrecognizedClientException"},
		{"expired session", func(l *lab, _ *awstest.Principal) { l.now = l.now.Add(2 * time.Minute) }, "ExpiredTokenException"},
		{"clock skew", func(l *lab, _ *awstest.Principal) { l.now = l.now.Add(-10 * time.Minute) }, "SignatureDoesNotMatch"},
		{"another region", func(l *lab, _ *awstest.Principal) { l.config.Region = "eu-west-1" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			p := l.AddSession("deploy", "run", time.Minute)
			tt.change(l, &p)
			l.as(p)
			_, err := ecr.NewFromConfig(l.config).DescribeRepositories(t.Context(), nil)
			if tt.want != "" {
				wantError(t, err, tt.want)
			} else if err == nil {
				t.Error("admitted")
			}
		})
	}
}

func TestCloud_AssumeRole(t *testing.T) {
	l := newLab(t)
	l.AddRole(awstest.Role{Name: "deploy", Trusted: []string{"arn:aws:iam::" + awstest.Account + ":user/alice"}})
	in := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + awstest.Account + ":role/deploy"), RoleSessionName: aws.String("run-1")}
	out, err := sts.NewFromConfig(l.config).AssumeRole(t.Context(), in)
	if err != nil || out.Credentials.Expiration.Sub(l.now).Round(time.Minute) != time.Hour {
		t.Fatalf("%+v, %v", out, err)
	}
	l.config.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	who, err := sts.NewFromConfig(l.config).GetCallerIdentity(t.Context(), nil)
	if err != nil || !strings.HasSuffix(*who.Arn, ":assumed-role/deploy/run-1") {
		t.Errorf("%+v, %v", who, err)
	}
	l.as(l.AddUser("mallory"))
	_, err = sts.NewFromConfig(l.config).AssumeRole(t.Context(), in)
	wantError(t, err, "AccessDenied")
}

func TestCloud_WebIdentity(t *testing.T) {
	l := newLab(t)
	github, err := awstest.NewIssuer("token.actions.githubusercontent.com")
	if err != nil {
		t.Fatal(err)
	}
	other, err := awstest.NewIssuer("token.actions.githubusercontent.com")
	if err != nil {
		t.Fatal(err)
	}
	l.AddRole(awstest.Role{Name: "ci", WebIdentity: &awstest.WebIdentity{Issuer: github, Audience: "sts.amazonaws.com", Subjects: []string{"repo:o/r:environment:prod"}}})
	claims := func(change func(map[string]any)) map[string]any {
		c := map[string]any{"sub": "repo:o/r:environment:prod", "aud": "sts.amazonaws.com", "exp": l.now.Add(time.Minute).Unix(), "nbf": l.now.Unix()}
		change(c)
		return c
	}
	for _, tt := range []struct {
		name   string
		issuer *awstest.Issuer
		change func(map[string]any)
		want   string // empty: admitted
	}{
		{"prod", github, func(map[string]any) {}, ""},
		{"branch", github, func(c map[string]any) { c["sub"] = "repo:o/r:ref:refs/heads/main" }, "AccessDenied"},
		{"audience", github, func(c map[string]any) { c["aud"] = "other" }, "AccessDenied"},
		{"expired", github, func(c map[string]any) { c["exp"] = l.now.Unix() }, "ExpiredTokenException"},
		{"not yet valid", github, func(c map[string]any) { c["nbf"] = l.now.Add(time.Hour).Unix() }, "InvalidIdentityToken"},
		{"another key", other, func(map[string]any) {}, "InvalidIdentityToken"},
		{"another issuer", github, func(c map[string]any) { c["iss"] = "https://evil.example" }, "InvalidIdentityToken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token, err := tt.issuer.Token(claims(tt.change))
			if err != nil {
				t.Fatal(err)
			}
			_, err = sts.NewFromConfig(l.config).AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
				RoleArn: aws.String("arn:aws:iam::" + awstest.Account + ":role/ci"), RoleSessionName: aws.String("job"), WebIdentityToken: &token,
			})
			if tt.want != "" {
				wantError(t, err, tt.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A response that is lost is one of work that was done.
func TestCloud_Faults(t *testing.T) {
	l := newLab(t)
	topic := l.AddTopic("releases")
	client := sns.NewFromConfig(l.config)
	publish := func() error {
		_, err := client.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: aws.String("m")})
		return err
	}
	for _, tt := range []struct {
		fault awstest.Fault
		code  string
		done  int
	}{{awstest.Throttled, "ThrottlingException", 0}, {awstest.Unavailable, "ServiceUnavailable", 0}, {awstest.ResponseLost, "", 1}} {
		l.Inject(func(*awstest.Call) awstest.Fault { return tt.fault })
		before := len(l.Messages(topic))
		err := publish()
		if tt.code != "" {
			wantError(t, err, tt.code)
		} else if err == nil {
			t.Error("the response was not lost")
		}
		if n := len(l.Messages(topic)) - before; n != tt.done {
			t.Errorf("fault %d: %d messages, want %d", tt.fault, n, tt.done)
		}
	}
	l.Inject(nil)
	if err := publish(); err != nil {
		t.Error(err)
	}
}

// A token for a cluster is a call of STS that names the cluster, and counts for no other.
func TestCloud_ClusterUser(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	if _, err := l.ClusterUser(ctx, "mlops", "k8s-aws-v1.xx"); err == nil {
		t.Error("a made-up token is a user's")
	}
}
