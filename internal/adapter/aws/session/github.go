package session

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/loopback"
)

// audience is that of a token for AWS. Source: GitHub's documentation, "Configuring
// OpenID Connect in Amazon Web Services".
const audience = "sts.amazonaws.com"

const (
	githubTimeout = 30 * time.Second
	maxToken      = 64 << 10 // bytes
)

// githubToken gets a job's OIDC token from GitHub, a new one each time: a token counts
// for minutes, a job may take hours.
type githubToken struct {
	url, bearer string
	client      aws.HTTPClient
}

// newGitHubToken returns false outside of a job of GitHub Actions with `id-token: write`.
func newGitHubToken(o Options) (*githubToken, bool) {
	address, ok := o.Lookup("ACTIONS_ID_TOKEN_REQUEST_URL")
	bearer, allowed := o.Lookup("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if !ok || !allowed || address == "" || bearer == "" {
		return nil, false
	}
	t := &githubToken{url: address, bearer: bearer, client: o.Client}
	if t.client == nil {
		t.client = awshttp.NewBuildableClient()
	}
	return t, true
}

// GetIdentityToken implements stscreds.IdentityTokenRetriever.
func (t *githubToken) GetIdentityToken() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), githubTimeout)
	defer cancel()
	token, err := t.fetch(ctx)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "get an OIDC token from GitHub").Cause(err).
			Hint("the job needs `permissions: {id-token: write}`")
	}
	return token, nil
}

func (t *githubToken) fetch(ctx context.Context) ([]byte, error) {
	u, err := url.Parse(t.url)
	if err != nil || u.Scheme != "https" && !loopback.IsHost(u.Hostname()) {
		return nil, fmt.Errorf("ACTIONS_ID_TOKEN_REQUEST_URL is not an https address") // it would get the token in clear
	}
	query := u.Query()
	query.Set("audience", audience)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+t.bearer)
	res, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxToken))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Value string `json:"value"`
	}
	if res.StatusCode != http.StatusOK || json.Unmarshal(body, &answer) != nil || strings.Count(answer.Value, ".") != 2 {
		return nil, fmt.Errorf("the response is %s without a token", res.Status)
	}
	return []byte(answer.Value), nil
}
