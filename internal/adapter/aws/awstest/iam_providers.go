package awstest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// iamProvider is an issuer of tokens that the account takes.
type iamProvider struct {
	arn, url    string // url without https://
	clients     []string
	thumbprints []string
	created     time.Time
}

// maxClients bounds the audiences of a provider. Source: IAM's quotas.
const maxClients = 100

func (c *Cloud) iamProviders() map[string]handler {
	return map[string]handler{
		"ListOpenIDConnectProviders":              c.listProviders,
		"GetOpenIDConnectProvider":                c.getProvider,
		"CreateOpenIDConnectProvider":             c.createProvider,
		"DeleteOpenIDConnectProvider":             c.deleteProvider,
		"AddClientIDToOpenIDConnectProvider":      c.addClientID,
		"RemoveClientIDFromOpenIDConnectProvider": c.removeClientID,
		"TagOpenIDConnectProvider":                onARN(c.providerARN, c.addTagsOf),
		"UntagOpenIDConnectProvider":              onARN(c.providerARN, c.dropTagsOf),
		"ListOpenIDConnectProviderTags":           onARN(c.providerARN, c.pageOfTags),
	}
}

func (c *Cloud) listProviders(*Call) (any, error) {
	all := []map[string]string{}
	for _, arn := range slices.Sorted(maps.Keys(c.iam.providers)) {
		all = append(all, map[string]string{"Arn": arn})
	}
	return map[string]any{"OpenIDConnectProviderList": all}, nil
}

func (c *Cloud) providerOf(call *Call) (*iamProvider, error) {
	arn := call.text("OpenIDConnectProviderArn")
	if p := c.iam.providers[arn]; p != nil {
		return p, nil
	}
	return nil, noSuchEntity("OpenIDConnect Provider not found for arn %s", arn)
}

func (c *Cloud) getProvider(call *Call) (any, error) {
	p, err := c.providerOf(call)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Url": p.url, "ClientIDList": p.clients, "ThumbprintList": p.thumbprints, "CreateDate": at(p.created), "Tags": c.tagList(p.arn)}, nil
}

// createProvider needs no thumbprint, which IAM fetches itself.
func (c *Cloud) createProvider(call *Call) (any, error) {
	var in struct {
		URL                          string `json:"Url"`
		ClientIDList, ThumbprintList []string
		Tags                         []tag
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	url, ok := strings.CutPrefix(in.URL, "https://")
	arn := c.iamARN("oidc-provider/" + url)
	switch {
	case !ok || url == "":
		return nil, refuse("ValidationError", "Invalid Open ID Connect Provider URL")
	case c.iam.providers[arn] != nil:
		return nil, refuse("EntityAlreadyExists", "Provider with url %s already exists.", in.URL)
	case len(in.ClientIDList) > maxClients:
		return nil, refuse("LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClients)
	}
	if err := c.addTags(arn, in.Tags); err != nil {
		return nil, err
	}
	if in.ThumbprintList == nil {
		in.ThumbprintList = []string{strings.Repeat("ab", 20)}
	}
	c.iam.providers[arn] = &iamProvider{arn: arn, url: url, clients: append([]string{}, in.ClientIDList...), thumbprints: in.ThumbprintList, created: c.clock()}
	return map[string]any{"OpenIDConnectProviderArn": arn, "Tags": c.tagList(arn)}, nil
}

// deleteProvider is idempotent: IAM deletes what is not there, too.
func (c *Cloud) deleteProvider(call *Call) (any, error) {
	arn := call.text("OpenIDConnectProviderArn")
	delete(c.iam.providers, arn)
	delete(c.tags, arn)
	return map[string]any{}, nil
}

func (c *Cloud) addClientID(call *Call) (any, error) {
	p, err := c.providerOf(call)
	if err != nil {
		return nil, err
	}
	id := call.text("ClientID")
	switch {
	case slices.Contains(p.clients, id): // which is no error
	case len(p.clients) >= maxClients:
		return nil, refuse("LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClients)
	default:
		p.clients = append(p.clients, id)
	}
	return map[string]any{}, nil
}

func (c *Cloud) removeClientID(call *Call) (any, error) {
	p, err := c.providerOf(call)
	if err != nil {
		return nil, err
	}
	p.clients = slices.DeleteFunc(p.clients, func(id string) bool { return id == call.text("ClientID") })
	return map[string]any{}, nil
}

// providerARN returns the ARN of the input, whose provider has to be there.
func (c *Cloud) providerARN(call *Call) (string, error) {
	p, err := c.providerOf(call)
	if err != nil {
		return "", err
	}
	return p.arn, nil
}
