package account

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestConcerned: roles of other repositories are left out; those that the project's jobs
// may assume are not, whoever made them.
func TestConcerned(t *testing.T) {
	t.Parallel()
	const provider = "arn:aws:iam::111122223333:oidc-provider/" + GitHubHost
	trust := func(subject string) string {
		return `{"Statement":{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"` + GitHubHost + `:sub":"` + subject + `"}}}}`
	}
	issuer := GitHub(provider, "acme/retail", "123", "456")
	set := Set{Resources: []Resource{{Kind: KindRole, Name: "retail-prod", Spec: Role{Trust: Document{issuer.Enter("prod", []Ref{{Pattern: "main"}})}}}}}
	var got []string
	for _, r := range Concerned([]ExistingRole{
		{Name: "retail-prod", Trust: `{"Statement":[]}`},
		{Name: "any branch", Trust: trust("repo:acme/retail:*")},
		{Name: "any repository", Trust: trust("repo:acme/*")},
		{Name: "by its ID", Trust: trust("repo:acme@456/retail@123:*")},
		{Name: "without a subject", Trust: `{"Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity"}]}`},
		{Name: "not JSON", Trust: `{`},
		{Name: "another repository", Trust: trust("repo:acme/retailer:*")},
		{Name: "another environment", Trust: trust("repo:acme/retail:environment:staging")},
		{Name: "denied", Trust: `{"Statement":[{"Effect":"Deny","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity"}]}`},
		{Name: "a service's", Trust: `{"Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`},
		{Name: "another issuer's", Trust: `{"Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/gitlab.com"},"Action":"sts:AssumeRoleWithWebIdentity"}]}`},
	}, set) {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff([]string{"retail-prod", "any branch", "any repository", "by its ID", "without a subject", "not JSON"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
