package session

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/slipway-cd/slipway/internal/wait"
)

// API is a service of AWS that takes JSON. The SDK's clients keep the schemas of all
// their operations in the program, a megabyte for each service; of these services few
// operations are called. See docs/decisions/0046-aws-services-called-in-json.md.
type API struct {
	Name    string // of its host and in signatures: "monitoring"
	Target  string // before the operation: "GraniteServiceVersion20100801"
	Version string // of its JSON: "1.0"
}

// maxResponse bounds a response, in bytes. Pages of the operations that are called are
// far below.
const maxResponse = 8 << 20

// Call carries an operation out, with the retries of the SDK's clients. in is marshalled
// and the response unmarshalled into out; nil: it is not read. Errors are those that
// Explain knows.
func (s *Session) Call(ctx context.Context, api API, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("write the request of %s: %w", operation, err)
	}
	retryer := s.Config.Retryer()
	for attempt := 1; ; attempt++ {
		response, err := s.send(ctx, api, operation, body)
		if err == nil {
			return readResponse(operation, response, out)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w", api.Name, operation, ctx.Err())
		}
		if attempt >= retryer.MaxAttempts() || !retryer.IsErrorRetryable(err) {
			return err
		}
		pause, err := retryer.RetryDelay(attempt, err)
		if err != nil {
			return err
		}
		if err := wait.Sleep(ctx, max(pause, askedPause(response))); err != nil {
			return fmt.Errorf("%s %s: %w", api.Name, operation, err)
		}
	}
}

// response is what was received, also with an error.
type response struct {
	header http.Header
	body   []byte
}

func readResponse(operation string, r response, out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(r.body, out); err != nil {
		return fmt.Errorf("read the response of %s: %w", operation, err)
	}
	return nil
}

// askedPause is how long AWS asks to wait, at most as long as a pause of our own.
func askedPause(r response) time.Duration {
	ms, err := strconv.Atoi(r.header.Get("X-Amz-Retry-After"))
	if err != nil || ms < 0 {
		return 0
	}
	return min(time.Duration(ms)*time.Millisecond, maxPause)
}

func (s *Session) send(ctx context.Context, api API, operation string, body []byte) (response, error) {
	suffix := ".amazonaws.com/"
	if strings.HasPrefix(s.at.Region, "cn-") {
		suffix = ".amazonaws.com.cn/"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+api.Name+"."+s.at.Region+suffix, bytes.NewReader(body))
	if err != nil {
		return response{}, fmt.Errorf("make the request of %s: %w", operation, err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-"+api.Version)
	req.Header.Set("X-Amz-Target", api.Target+"."+operation)
	credentials, err := s.Config.Credentials.Retrieve(ctx)
	if err != nil {
		return response{}, fmt.Errorf("get credentials: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), api.Name, s.at.Region, time.Now()); err != nil {
		return response{}, fmt.Errorf("sign the request of %s: %w", operation, err)
	}
	res, err := s.httpClient().Do(req)
	if err != nil {
		return response{}, &smithyhttp.RequestSendError{Err: err}
	}
	defer func() { _ = res.Body.Close() }()
	r := response{header: res.Header}
	if r.body, err = io.ReadAll(io.LimitReader(res.Body, maxResponse+1)); err != nil {
		return r, &smithyhttp.RequestSendError{Err: err}
	}
	if len(r.body) > maxResponse {
		return r, fmt.Errorf("the response of %s is larger than %d MiB", operation, maxResponse>>20)
	}
	if res.StatusCode/100 != 2 {
		return r, apiError(res, r.body)
	}
	return r, nil
}

func (s *Session) httpClient() aws.HTTPClient {
	if s.Config.HTTPClient != nil {
		return s.Config.HTTPClient
	}
	return awshttp.NewBuildableClient()
}

// apiError is an error of AWS, as the SDK's clients return it.
func apiError(res *http.Response, body []byte) error {
	var text struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Upper   string `json:"Message"`
	}
	_ = json.Unmarshal(body, &text) // a proxy's page has no type
	code := text.Type
	if asked, _, ok := strings.Cut(res.Header.Get("X-Amzn-Query-Error"), ";"); ok {
		code = asked // the name that older protocols of the service have
	}
	if _, name, ok := strings.Cut(code, "#"); ok {
		code = name
	}
	if code == "" {
		code = "HTTP " + strconv.Itoa(res.StatusCode)
	}
	return &awshttp.ResponseError{
		RequestID: res.Header.Get("X-Amzn-Requestid"),
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: res},
			Err:      &smithy.GenericAPIError{Code: code, Message: text.Message + text.Upper},
		},
	}
}
