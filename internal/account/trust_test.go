package account_test

import (
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// gate is the AWS of the tests with the roles that the generator makes, and the issuers of
// tokens for them.
type gate struct {
	*awstest.Lab
	github, stranger, gitlab *awstest.Issuer
}

const gitlabHost = "gitlab.example.com"

func newGate(t *testing.T) gate {
	t.Helper()
	g := gate{Lab: awstest.Start(t, awstest.Config{})}
	for to, url := range map[**awstest.Issuer]string{&g.github: account.GitHubHost, &g.stranger: account.GitHubHost, &g.gitlab: gitlabHost} {
		issuer, err := awstest.NewIssuer(url)
		if err != nil {
			t.Fatal(err)
		}
		*to = issuer
	}
	github := account.GitHub("arn:aws:iam::"+awstest.Account+":oidc-provider/"+account.GitHubHost, "acme/retail", "42", "7")
	gitlab := account.Issuer{
		Provider: "arn:aws:iam::" + awstest.Account + ":oidc-provider/" + gitlabHost, Host: gitlabHost, Audience: "https://aws.example.com",
		Subjects: []string{"project_path:acme/retail:ref_type:{ref_type}:ref:{ref}"},
	}
	refs := []account.Ref{{Pattern: "main"}, {Tag: true, Pattern: "v*"}}
	for name, trust := range map[string][]account.Statement{
		"prod": github.Enter("prod", refs), "staging": github.Enter("staging", []account.Ref{{Pattern: "develop"}}), "pulls": {github.Pulls()}, "gitlab": gitlab.Enter("prod", refs),
	} {
		issuer := g.github
		if name == "gitlab" {
			issuer = g.gitlab
		}
		text, err := json.Marshal(account.Document{Statements: account.Merge(trust...)})
		if err == nil {
			err = g.AddTrustedRole(name, string(text), issuer)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// assume sends a signed token, and returns the code of AWS's refusal; "" if it let it in.
func (g gate) assume(t *testing.T, role string, issuer *awstest.Issuer, claims map[string]any) string {
	t.Helper()
	token, err := issuer.Token(claims)
	if err != nil {
		t.Fatal(err)
	}
	c := sts.NewFromConfig(aws.Config{Region: awstest.Region, HTTPClient: g.Client, Retryer: func() aws.Retryer { return aws.NopRetryer{} }})
	_, err = c.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::" + awstest.Account + ":role/" + role), RoleSessionName: aws.String("job"), WebIdentityToken: &token,
	})
	var e smithy.APIError
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e == nil {
		return ""
	}
	return e.ErrorCode()
}

// changed is claims with some replaced, or removed by nil.
func changed(claims, by map[string]any) map[string]any {
	out := maps.Clone(claims)
	for name, value := range by {
		out[name] = value
		if value == nil {
			delete(out, name)
		}
	}
	return out
}

const denied, invalid = "AccessDenied", "InvalidIdentityToken"

// TestTrust_Tokens: which signed tokens the generated trusts let in.
func TestTrust_Tokens(t *testing.T) {
	g := newGate(t)
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	job := map[string]any{
		"sub": "repo:acme/retail:environment:prod", "aud": account.STSAudience, "repository": "acme/retail", "repository_id": "42", "ref": "refs/heads/main", "environment": "prod",
		"job_workflow_ref": "acme/retail/.github/workflows/deliver.yml@refs/heads/main", "nbf": at(-time.Minute), "exp": at(5 * time.Minute),
	}
	type claims = map[string]any
	const tag = "refs/tags/v1.2"
	for _, tt := range []struct {
		name, role string
		issuer     *awstest.Issuer
		change     claims
		want       string
	}{
		{"the environment, by names", "prod", g.github, nil, ""},
		{"the environment, with IDs", "prod", g.github, claims{"sub": "repo:acme@7/retail@42:environment:prod"}, ""},
		{"a tag that enters", "prod", g.github, claims{"ref": tag}, ""},
		{"a reusable workflow of another repository", "prod", g.github, claims{"job_workflow_ref": "acme/shared/.github/workflows/deliver.yml@refs/tags/v1"}, ""},
		{"a pull request, its own role", "pulls", g.github, claims{"sub": "repo:acme/retail:pull_request", "ref": "refs/pull/3/merge"}, ""},
		{"a pull request with IDs, its own role", "pulls", g.github, claims{"sub": "repo:acme@7/retail@42:pull_request", "ref": "refs/pull/3/merge"}, ""},
		{"staging, its own role", "staging", g.github, claims{"sub": "repo:acme/retail:environment:staging", "ref": "refs/heads/develop"}, ""},
		{"a clock that is 4 min late", "prod", g.github, claims{"nbf": at(4 * time.Minute)}, ""},

		{"another repository", "prod", g.github, claims{"sub": "repo:acme/other:environment:prod", "repository_id": "43"}, denied},
		{"another repository whose name goes on", "prod", g.github, claims{"sub": "repo:acme/retail-2:environment:prod", "repository_id": "43"}, denied},
		{"a fork", "prod", g.github, claims{"sub": "repo:mallory/retail:environment:prod", "repository_id": "44"}, denied},
		{"a fork's pull request", "prod", g.github, claims{"sub": "repo:acme/retail:pull_request", "ref": "refs/pull/3/merge"}, denied},
		{"another owner in capitals", "prod", g.github, claims{"sub": "repo:Acme/retail:environment:prod"}, denied},
		{"a recycled name, old form", "prod", g.github, claims{"repository_id": "99"}, denied},
		{"a recycled name, with IDs", "prod", g.github, claims{"sub": "repo:acme@8/retail@99:environment:prod", "repository_id": "99"}, denied},
		{"a feature branch with environment: prod", "prod", g.github, claims{"ref": "refs/heads/feature"}, denied},
		{"a branch whose name goes on", "prod", g.github, claims{"ref": "refs/heads/main-2"}, denied},
		{"a branch named like a tag", "prod", g.github, claims{"ref": "refs/heads/v1.2"}, denied},
		{"a tag that does not enter", "prod", g.github, claims{"ref": "refs/tags/nightly"}, denied},
		{"a tag named like the branch", "prod", g.github, claims{"ref": "refs/tags/main"}, denied},
		{"a pull request with environment: prod", "prod", g.github, claims{"ref": "refs/pull/3/merge"}, denied},
		{"the branch without an environment", "prod", g.github, claims{"sub": "repo:acme/retail:ref:refs/heads/main", "environment": nil}, denied},
		{"a tag without an environment", "prod", g.github, claims{"sub": "repo:acme/retail:ref:" + tag, "ref": tag, "environment": nil}, denied},
		{"another environment", "prod", g.github, claims{"sub": "repo:acme/retail:environment:staging"}, denied},
		{"an environment whose name goes on", "prod", g.github, claims{"sub": "repo:acme/retail:environment:prod-2"}, denied},
		{"prod's job at staging's role", "staging", g.github, nil, denied},
		{"prod's job at the role of pull requests", "pulls", g.github, nil, denied},
		{"a pull request of another repository", "pulls", g.github, claims{"sub": "repo:acme/retail:pull_request", "repository_id": "43"}, denied},
		{"the subject of a reusable workflow", "prod", g.github, claims{"sub": "repo:acme/retail:job_workflow_ref:acme/shared/.github/workflows/deliver.yml@main"}, denied},
		{"no subject", "prod", g.github, claims{"sub": nil}, denied},
		{"no repository_id", "prod", g.github, claims{"repository_id": nil}, denied},
		{"no ref", "prod", g.github, claims{"ref": nil}, denied},
		{"no audience", "prod", g.github, claims{"aud": nil}, denied},
		{"another audience", "prod", g.github, claims{"aud": "https://github.com/acme"}, denied},
		{"another issuer", "prod", g.github, claims{"iss": "https://token.example.com"}, invalid},
		{"another issuer's key", "prod", g.stranger, nil, invalid},
		{"GitLab's token at GitHub's role", "prod", g.gitlab, nil, invalid},
		{"expired", "prod", g.github, claims{"exp": at(-time.Second)}, "ExpiredTokenException"},
		{"not yet valid", "prod", g.github, claims{"nbf": at(6 * time.Minute)}, invalid},
	} {
		if got := g.assume(t, tt.role, tt.issuer, changed(job, tt.change)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	gitlab := claims{"sub": "project_path:acme/retail:ref_type:branch:ref:main", "aud": "https://aws.example.com", "nbf": at(-time.Minute), "exp": at(5 * time.Minute)}
	for _, tt := range []struct {
		name   string
		change claims
		want   string
	}{
		{"GitLab's branch", nil, ""},
		{"GitLab's tag", claims{"sub": "project_path:acme/retail:ref_type:tag:ref:v2"}, ""},
		{"GitLab's other branch", claims{"sub": "project_path:acme/retail:ref_type:branch:ref:feature"}, denied},
		{"GitLab's branch named like a tag", claims{"sub": "project_path:acme/retail:ref_type:branch:ref:v2"}, denied},
		{"GitLab's other project", claims{"sub": "project_path:acme/other:ref_type:branch:ref:main"}, denied},
		{"GitLab's other audience", claims{"aud": account.STSAudience}, denied},
	} {
		if got := g.assume(t, "gitlab", g.gitlab, changed(gitlab, tt.change)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
