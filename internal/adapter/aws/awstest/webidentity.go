package awstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Issuer signs tokens, as GitHub Actions does for its jobs.
type Issuer struct {
	URL string // without https://
	key *rsa.PrivateKey
}

// NewIssuer makes an issuer with a key of its own.
func NewIssuer(url string) (*Issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("generate the issuer's key: %w", err)
	}
	return &Issuer{URL: url, key: key}, nil
}

// Token signs claims; iss is the issuer's unless they have one.
func (i *Issuer) Token(claims map[string]any) (string, error) {
	all := map[string]any{"iss": "https://" + i.URL}
	for name, value := range claims {
		all[name] = value
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(text)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	return signed + "." + encode(sig), nil
}

// WebIdentity is which tokens may assume a role, by StringEquals.
type WebIdentity struct {
	Issuer   *Issuer
	Audience string
	Subjects []string
}

func (c *Cloud) assumeRoleWithWebIdentity(call *Call) (any, error) {
	var in assumeInput
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	role, ok := c.role(in.RoleArn)
	if !ok || role.WebIdentity == nil && role.Trust == nil {
		return nil, denied
	}
	identity := role.WebIdentity
	if identity == nil {
		var err error
		if identity, err = c.provided(in.WebIdentityToken); err != nil {
			return nil, err
		}
	}
	claims, err := identity.verify(in.WebIdentityToken, c.clock())
	if err != nil {
		return nil, err
	}
	if role.Trust != nil {
		if c.clock().Before(role.usable) || !c.trustsToken(role.Trust, identity.Issuer.URL, in.WebIdentityToken) {
			return nil, denied
		}
		return c.assume(role.Role, in)
	}
	if !slices.Contains(claims.Audience, role.WebIdentity.Audience) || !slices.Contains(role.WebIdentity.Subjects, claims.Subject) {
		return nil, denied
	}
	return c.assume(role.Role, in)
}

// provided returns the issuer of a token by the account's providers, which has to take the
// token's audience.
func (c *Cloud) provided(token string) (*WebIdentity, error) {
	claims, err := claimsOf(token)
	if err != nil {
		return nil, refuse("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
	}
	url := strings.TrimPrefix(fmt.Sprint(claims["iss"]), "https://")
	p := c.iam.providers[c.iamARN("oidc-provider/"+url)]
	switch {
	case p == nil:
		return nil, refuse("InvalidIdentityToken", "No OpenIDConnect provider found in your account for %v", claims["iss"])
	case c.iam.issuers[url] == nil:
		return nil, refuse("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements")
	case !slices.ContainsFunc(texts(claims["aud"]), func(aud string) bool { return slices.Contains(p.clients, aud) }):
		return nil, refuse("InvalidIdentityToken", "Incorrect token audience")
	}
	return &WebIdentity{Issuer: c.iam.issuers[url]}, nil
}

var denied = &Error{Code: "AccessDenied", Message: "Not authorized to perform sts:AssumeRoleWithWebIdentity", Status: 403}

type claims struct {
	Issuer   string    `json:"iss"`
	Subject  string    `json:"sub"`
	Audience oneOrMore `json:"aud"`
	Expires  int64     `json:"exp"`
	Before   int64     `json:"nbf"`
}

// verify checks signature, issuer and times.
func (w *WebIdentity) verify(token string, now time.Time) (c claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, refuse("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return c, refuse("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&w.Issuer.key.PublicKey, crypto.SHA256, sum[:], sig) != nil {
		return c, refuse("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider, or the signature is invalid")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &c) != nil {
		return c, refuse("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
	}
	switch at := now.Unix(); {
	case c.Issuer != "https://"+w.Issuer.URL:
		return c, refuse("InvalidIdentityToken", "No OpenIDConnect provider found in your account for %s", c.Issuer)
	case at >= c.Expires:
		return c, refuse("ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time")
	case at < c.Before-int64(maxSkew.Seconds()):
		return c, refuse("InvalidIdentityToken", "The token is not yet valid")
	}
	return c, nil
}
