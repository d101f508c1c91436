package resources

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/port"
)

// provider looks after the issuers of tokens that the account takes.
type provider struct{ *Account }

var _ port.Account = provider{}

// Read implements port.Account.
func (p provider) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	return p.observe(ctx, want.ARN)
}

func (p provider) observe(ctx context.Context, arn string) (*account.Observed, error) {
	var out struct {
		Url       string
		Audiences []string `xml:"ClientIDList>member"`
		Tags      []tag    `xml:"Tags>member"`
	}
	code, err := p.iam(ctx, "read the OIDC provider "+arn, "GetOpenIDConnectProvider", form("OpenIDConnectProviderArn", arn), &out, iamMissing)
	if err != nil || code != "" {
		return nil, err
	}
	slices.Sort(out.Audiences)
	url := strings.TrimPrefix(out.Url, "https://")
	return &account.Observed{
		Resource: account.Resource{Kind: account.KindProvider, Name: url, ARN: arn, Shared: true, Spec: account.Provider{URL: url, Audiences: out.Audiences}},
		Tags:     tagMap(out.Tags),
	}, nil
}

// Create implements port.Account. AWS needs no thumbprints: it knows the authorities.
func (p provider) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.Provider](want)
	if err != nil {
		return err
	}
	in := withTags(form("Url", "https://"+spec.URL), tags)
	for i, audience := range spec.Audiences {
		in.Set(fmt.Sprintf("ClientIDList.member.%d", i+1), audience)
	}
	exists, err := p.iam(ctx, "make the "+want.Title(), "CreateOpenIDConnectProvider", in, nil, iamExists)
	if err != nil || exists == "" {
		return err
	}
	return create(ctx, p, want, tags)
}

// Update implements port.Account. What others added is taken away only where the
// provider was adopted.
func (p provider) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.Provider](want)
	if err != nil {
		return err
	}
	have, err := p.Read(ctx, want)
	if err != nil {
		return err
	}
	if have == nil {
		return p.Create(ctx, want, tags)
	}
	live, _ := have.Spec.(account.Provider)
	action := "change the " + want.Title()
	call := func(operation, audience string) func() error {
		return func() error {
			_, err := p.iam(ctx, action, operation, form("OpenIDConnectProviderArn", want.ARN, "ClientID", audience), nil)
			return err
		}
	}
	steps := []func() error{func() error {
		_, err := p.iam(ctx, action, "TagOpenIDConnectProvider", withTags(form("OpenIDConnectProviderArn", want.ARN), tags), nil)
		return err
	}}
	for _, audience := range spec.Audiences {
		if !slices.Contains(live.Audiences, audience) {
			steps = append(steps, call("AddClientIDToOpenIDConnectProvider", audience))
		}
	}
	for _, audience := range live.Audiences {
		if !slices.Contains(spec.Audiences, audience) && (!want.Shared || tags[account.TagAdopted] != "") {
			steps = append(steps, call("RemoveClientIDFromOpenIDConnectProvider", audience))
		}
	}
	return all(steps...)
}

// Delete implements port.Account.
func (p provider) Delete(ctx context.Context, r account.Resource) error {
	_, err := p.iam(ctx, "delete the "+r.Title(), "DeleteOpenIDConnectProvider", form("OpenIDConnectProviderArn", r.ARN), nil, iamMissing)
	return err
}

// Owned implements port.Account.
func (p provider) Owned(ctx context.Context, of account.Set) (found []account.Observed, err error) {
	var out struct {
		List []struct{ Arn string } `xml:"OpenIDConnectProviderList>member"`
	}
	if _, err := p.iam(ctx, "list the OIDC providers", "ListOpenIDConnectProviders", nil, &out); err != nil {
		return nil, err
	}
	for _, item := range out.List {
		o, err := p.observe(ctx, item.Arn)
		if err != nil {
			return nil, err
		}
		if o == nil || o.Owner() != of.Project {
			continue
		}
		if o.Users, err = p.users(ctx, item.Arn, of.Project); err != nil {
			return nil, err
		}
		found = append(found, *o)
	}
	return found, nil
}

// users are the roles of others that trust the provider.
func (p provider) users(ctx context.Context, arn, project string) (names []string, err error) {
	known, err := p.details(ctx)
	if err != nil {
		return nil, err
	}
	for name, r := range known.byName {
		trust, err := document(r.AssumeRolePolicyDocument)
		if err != nil {
			return nil, err
		}
		if tagMap(r.Tags)[account.TagProject] != project && bytes.Contains(trust, []byte(`"`+arn+`"`)) {
			names = append(names, "the role "+name)
		}
	}
	slices.Sort(names)
	return names, nil
}
