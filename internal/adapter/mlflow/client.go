package mlflow

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/redact"
	"github.com/slipway-cd/slipway/internal/textline"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Limits of one request, and for how long it is repeated.
const (
	maxBody      = 32 << 20
	maxErrorText = 300 // characters of an error from the server
	timeout      = 30 * time.Second
	retryTime    = 20 * time.Second
	minPause     = 100 * time.Millisecond
	maxPause     = 3 * time.Second
	maxParallel  = 4 // requests: MLflow's usual database, SQLite, takes one writer at a time
)

// Settings are how the server is reached. At most one of Token and Username is set.
type Settings struct {
	URL                       *url.URL
	Token, Username, Password string
	Experiment                string // default: slipway
}

// client speaks MLflow's REST API.
type client struct {
	settings Settings
	http     *http.Client
	slots    chan struct{} // one for each request that is sent at the same time
}

// newClient does not follow redirects: credentials are for that server only.
func newClient(s Settings) *client {
	s.Experiment = cmp.Or(s.Experiment, "slipway")
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{settings: s, http: &http.Client{Timeout: timeout, CheckRedirect: noRedirect}, slots: make(chan struct{}, maxParallel)}
}

// apiError is MLflow's refusal of a request.
type apiError struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`

	status int
}

func (e *apiError) Error() string {
	return textline.Printable(fmt.Sprintf("%s: %s", cmp.Or(e.Code, fmt.Sprintf("status %d", e.status)), e.Message), maxErrorText)
}

// The codes that are told apart.
const (
	codeExists   = "RESOURCE_ALREADY_EXISTS"
	codeMissing  = "RESOURCE_DOES_NOT_EXIST"
	codeRefused  = "INVALID_PARAMETER_VALUE"
	codeBusy     = "TEMPORARILY_UNAVAILABLE"
	codeExceeded = "REQUEST_LIMIT_EXCEEDED"
)

// hasCode reports whether MLflow refused a request with the code.
func hasCode(err error, code string) bool {
	var e *apiError
	return errors.As(err, &e) && e.Code == code
}

// get reads; query are its parameters.
func (c *client) get(ctx context.Context, what, path string, query url.Values, out any) error {
	return c.repeat(ctx, what, func() error { return c.send(ctx, http.MethodGet, path+"?"+query.Encode(), nil, out) })
}

// post repeats a request that may be repeated: done twice, it leaves what it leaves when
// it is done once.
func (c *client) post(ctx context.Context, what, path string, in, out any) error {
	return c.repeat(ctx, what, func() error { return c.send(ctx, http.MethodPost, path, in, out) })
}

// delete is post with the method that MLflow has for it.
func (c *client) delete(ctx context.Context, what, path string, in any) error {
	return c.repeat(ctx, what, func() error { return c.send(ctx, http.MethodDelete, path, in, nil) })
}

// once sends a request that makes something new each time.
func (c *client) once(ctx context.Context, what, path string, in, out any) error {
	return c.describe(ctx, what, c.send(ctx, http.MethodPost, path, in, out))
}

// repeat sends a request until it is answered, or the time is over.
func (c *client) repeat(ctx context.Context, what string, send func() error) error {
	limited, cancel := context.WithTimeout(ctx, retryTime)
	defer cancel()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := send()
		if err == nil || !isTemporary(err) {
			return c.describe(ctx, what, err)
		}
		if wait.Sleep(limited, pause) != nil {
			return c.describe(ctx, what, err)
		}
	}
}

// isTemporary reports whether the same request may be answered later.
func isTemporary(err error) bool {
	var e *apiError
	if !errors.As(err, &e) {
		return fault.Is(err, fault.Unavailable)
	}
	// Another writer of the same row was first: MLflow reads and then inserts it.
	raced := strings.Contains(e.Message, "IntegrityError")
	return raced || e.Code == codeBusy || e.Code == codeExceeded || e.status == http.StatusTooManyRequests || e.status >= 500
}

// describe names what was being done, without the address's secrets.
func (c *client) describe(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	what += " on " + c.settings.URL.Host
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	var e *apiError
	if !errors.As(err, &e) {
		return fault.New(fault.KindOf(err), "%s", what).Cause(err).Hint("%s", fault.HintOf(err))
	}
	f := fault.New(fault.Invalid, "%s", what).Cause(e)
	switch {
	case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		return fault.New(fault.Denied, "%s", what).Cause(e).Hint("check token, or username and password, of model.registry.mlflow, and what they may do in MLflow")
	case e.Code == codeMissing:
		return fault.New(fault.NotFound, "%s", what).Cause(e)
	case isTemporary(e):
		return fault.New(fault.Unavailable, "%s", what).Cause(e)
	case e.Code == "":
		return f.Hint("check that model.registry.mlflow.url is the address of an MLflow server")
	}
	return f
}

// send sends one request, and decodes the response into out unless that is nil.
func (c *client) send(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fault.New(fault.Invalid, "write the request").Cause(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.settings.URL.String()+"/api/2.0/mlflow/"+path, body)
	if err != nil {
		return fault.New(fault.Invalid, "make the request")
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case c.settings.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.settings.Token)
	case c.settings.Username != "":
		req.SetBasicAuth(c.settings.Username, c.settings.Password)
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fault.New(fault.Unavailable, "no response").Cause(redact.WithoutURL(err))
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return fault.New(fault.Unavailable, "read the response").Cause(redact.WithoutURL(err))
	case len(raw) > maxBody:
		return fault.New(fault.Exhausted, "the response has more than %d MiB", maxBody>>20)
	case resp.StatusCode != http.StatusOK:
		e := &apiError{status: resp.StatusCode}
		if json.Unmarshal(raw, e) != nil {
			e.Message = "the response is not from MLflow's API"
		}
		return e
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fault.New(fault.Invalid, "the response is not from MLflow's API").Hint("check that model.registry.mlflow.url is the address of an MLflow server").Cause(err)
	}
	return nil
}
