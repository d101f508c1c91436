package awstest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxSkew is how far apart AWS's clock and a request's time may be. Source: IAM's
// user guide, "Troubleshoot Signature Version 4".
const maxSkew = 5 * time.Minute

const signedAt = "20060102T150405Z"

// signature is what a request says about who signed it, and how.
type signature struct {
	accessKey, region, service string
	headers                    []string // signed ones, lower case
	value                      string
	at                         time.Time
	presigned                  bool
	lifetime                   time.Duration // of a presigned URL
}

// parseSignature reads the signature of a header or of a presigned URL.
func parseSignature(r *http.Request) (signature, error) {
	if q := r.URL.Query(); q.Get("X-Amz-Signature") != "" {
		seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
		if err != nil || seconds < 1 || seconds > 604800 {
			return signature{}, refuse("AuthorizationQueryParametersError", "X-Amz-Expires is %q", q.Get("X-Amz-Expires"))
		}
		s, err := newSignature(q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature"), q.Get("X-Amz-Date"))
		s.presigned, s.lifetime = true, time.Duration(seconds)*time.Second
		return s, err
	}
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return signature{}, &Error{Code: "MissingAuthenticationToken", Message: "Request is missing Authentication Token", Status: http.StatusForbidden}
	}
	fields := map[string]string{}
	for field := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	return newSignature(fields["Credential"], fields["SignedHeaders"], fields["Signature"], r.Header.Get("X-Amz-Date"))
}

func newSignature(credential, headers, value, date string) (signature, error) {
	scope := strings.Split(credential, "/")
	at, err := time.Parse(signedAt, date)
	if len(scope) != 5 || scope[4] != "aws4_request" || err != nil || scope[1] != date[:8] {
		return signature{}, refuse("IncompleteSignature", "credential %q, date %q", credential, date)
	}
	return signature{accessKey: scope[0], region: scope[2], service: scope[3], headers: strings.Split(headers, ";"), value: value, at: at}, nil
}

// authenticate returns who signed the request. The signature is made once more by the
// SDK's signer, from the headers that the request names, and must be the same.
func (c *Cloud) authenticate(ctx context.Context, r *http.Request, s signature, body []byte) (Principal, error) {
	c.mu.Lock()
	p, ok := c.principals[s.accessKey]
	ok = ok && !c.ended(p)
	now := c.clock()
	c.mu.Unlock()
	if !ok {
		return Principal{}, &Error{Code: "UnrecognizedClientException", Message: "The security token included in the request is invalid.", Status: http.StatusForbidden}
	}
	token := r.Header.Get("X-Amz-Security-Token")
	if s.presigned {
		token = r.URL.Query().Get("X-Amz-Security-Token")
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(token), []byte(p.SessionToken)) != 1:
		return Principal{}, &Error{Code: "UnrecognizedClientException", Message: "The security token included in the request is invalid.", Status: http.StatusForbidden}
	case !p.Expires.IsZero() && !now.Before(p.Expires):
		return Principal{}, &Error{Code: "ExpiredTokenException", Message: "The security token included in the request is expired", Status: http.StatusForbidden}
	case s.presigned && now.After(s.at.Add(s.lifetime)), !s.presigned && now.Sub(s.at).Abs() > maxSkew:
		return Principal{}, &Error{Code: "SignatureDoesNotMatch", Message: "Signature expired: " + s.at.Format(signedAt) + " is not close to " + now.UTC().Format(signedAt), Status: http.StatusForbidden}
	case !slices.Contains(s.headers, "host"):
		return Principal{}, refuse("IncompleteSignature", "'Host' must be a 'SignedHeader'")
	}
	want, err := sign(ctx, r, s, p, body)
	if err != nil {
		return Principal{}, err
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(s.value)) != 1 {
		return Principal{}, &Error{Code: "SignatureDoesNotMatch", Message: "The request signature we calculated does not match the signature you provided.", Status: http.StatusForbidden}
	}
	return p, nil
}

// sign returns the signature that the request ought to have.
func sign(ctx context.Context, r *http.Request, s signature, p Principal, body []byte) (string, error) {
	again := &http.Request{Method: r.Method, Host: r.Host, Header: http.Header{}, ContentLength: -1, Proto: r.Proto}
	again.URL = &url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	for _, name := range s.headers {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	credentials := aws.Credentials{AccessKeyID: p.AccessKey, SecretAccessKey: p.SecretKey, SessionToken: p.SessionToken}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s.service == "s3" })
	if s.presigned {
		presigned := hash(body)
		if s.service == "s3" {
			presigned = "UNSIGNED-PAYLOAD"
		}
		query := again.URL.Query()
		for _, name := range []string{"X-Amz-Signature", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Security-Token"} {
			query.Del(name)
		}
		again.URL.RawQuery = query.Encode()
		signed, _, err := signer.PresignHTTP(ctx, credentials, again, presigned, s.service, s.region, s.at)
		if err != nil {
			return "", err
		}
		u, err := url.Parse(signed)
		if err != nil {
			return "", err
		}
		return u.Query().Get("X-Amz-Signature"), nil
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload == "" {
		payload = hash(body)
	} else if payload != "UNSIGNED-PAYLOAD" && !strings.HasPrefix(payload, "STREAMING-") && payload != hash(body) {
		return "", refuse("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	if err := signer.SignHTTP(ctx, credentials, again, payload, s.service, s.region, s.at); err != nil {
		return "", err
	}
	_, value, _ := strings.Cut(again.Header.Get("Authorization"), "Signature=")
	return value, nil
}

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
