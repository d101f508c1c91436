package session

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/slipway-cd/slipway/internal/wait"
)

// maxResponse bounds a response, in bytes. Pages of the operations that are called are
// far below.
const maxResponse = 8 << 20

// Request is a request of a service in any of AWS's protocols.
type Request struct {
	API       API
	Operation string // for errors
	Method    string
	Host      string // before that of the service: a bucket of S3; empty: none
	Path      string // escaped; empty: "/"
	Query     url.Values
	Header    http.Header
	Body      []byte
}

// Response is what was received.
type Response struct {
	Header http.Header
	Body   []byte
}

// Do sends a request with the retries of the SDK's clients.
func (s *Session) Do(ctx context.Context, r Request) (Response, error) {
	retryer := s.Config.Retryer()
	for attempt := 1; ; attempt++ {
		res, err := s.send(ctx, r)
		if err == nil {
			return res, nil
		}
		if ctx.Err() != nil {
			return Response{}, fmt.Errorf("%s %s: %w", r.API.Name, r.Operation, ctx.Err())
		}
		if attempt >= retryer.MaxAttempts() || !retryer.IsErrorRetryable(err) {
			return Response{}, err
		}
		pause, err := retryer.RetryDelay(attempt, err)
		if err != nil {
			return Response{}, err
		}
		if err := wait.Sleep(ctx, max(pause, askedPause(res))); err != nil {
			return Response{}, fmt.Errorf("%s %s: %w", r.API.Name, r.Operation, err)
		}
	}
}

// askedPause is how long AWS asks to wait, at most as long as a pause of our own.
func askedPause(r Response) time.Duration {
	ms, err := strconv.Atoi(r.Header.Get("X-Amz-Retry-After"))
	if err != nil || ms < 0 {
		return 0
	}
	return min(time.Duration(ms)*time.Millisecond, maxPause)
}

// endpoint is the host of a service, and the region that signatures have. Source:
// "Service endpoints and quotas" in AWS's general reference.
func (s *Session) endpoint(api API) (host, region string) {
	name, region := cmp.Or(api.Host, api.Name), s.at.Region
	switch {
	case strings.HasPrefix(region, "cn-") && api.Global:
		return name + ".cn-north-1.amazonaws.com.cn", "cn-north-1"
	case strings.HasPrefix(region, "cn-"):
		return name + "." + region + ".amazonaws.com.cn", region
	case strings.HasPrefix(region, "us-gov-") && api.Global:
		return name + ".us-gov.amazonaws.com", "us-gov-west-1"
	case api.Global:
		return name + ".amazonaws.com", "us-east-1"
	}
	return name + "." + region + ".amazonaws.com", region
}

func (s *Session) send(ctx context.Context, r Request) (Response, error) {
	req, err := s.newRequest(ctx, r)
	if err != nil {
		return Response{}, err
	}
	res, err := s.httpClient().Do(req)
	if err != nil {
		return Response{}, &smithyhttp.RequestSendError{Err: err}
	}
	defer func() { _ = res.Body.Close() }()
	got := Response{Header: res.Header}
	if got.Body, err = io.ReadAll(io.LimitReader(res.Body, maxResponse+1)); err != nil {
		return got, &smithyhttp.RequestSendError{Err: err}
	}
	if len(got.Body) > maxResponse {
		return got, fmt.Errorf("the response of %s is larger than %d MiB", r.Operation, maxResponse>>20)
	}
	if res.StatusCode/100 != 2 {
		return got, apiError(res, got.Body)
	}
	return got, nil
}

// newRequest returns a signed request.
func (s *Session) newRequest(ctx context.Context, r Request) (*http.Request, error) {
	host, region := s.endpoint(r.API)
	if r.Host != "" {
		host = r.Host + "." + host
	}
	address := "https://" + host + cmp.Or(r.Path, "/")
	if len(r.Query) > 0 {
		address += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("make the request of %s: %w", r.Operation, err)
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	credentials, err := s.Config.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get credentials: %w", err)
	}
	hash := sha256.Sum256(r.Body)
	sum := hex.EncodeToString(hash[:])
	isS3 := r.API.Name == "s3"
	if isS3 { // it wants to be told, and takes paths as they are
		req.Header.Set("X-Amz-Content-Sha256", sum)
	}
	err = v4.NewSigner().SignHTTP(ctx, credentials, req, sum, r.API.Name, region, time.Now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = isS3 })
	if err != nil {
		return nil, fmt.Errorf("sign the request of %s: %w", r.Operation, err)
	}
	return req, nil
}

func (s *Session) httpClient() aws.HTTPClient {
	if s.Config.HTTPClient != nil {
		return s.Config.HTTPClient
	}
	return awshttp.NewBuildableClient()
}
