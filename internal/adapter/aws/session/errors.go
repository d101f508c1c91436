package session

import (
	"context"
	"errors"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Explain makes an error of the SDK a fault: what was done, why it failed, and what to
// do about it. Faults stay as they are.
func Explain(action string, err error) error {
	return explain(action, err, func() string { return "" })
}

var (
	expiredCodes   = []string{"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
	deniedCodes    = []string{"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "NotAuthorized", "UnauthorizedException"}
	unknownCodes   = []string{"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "MissingAuthenticationToken"}
	throttledCodes = []string{"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "RequestThrottled"}
	invalidCodes   = []string{"ValidationException", "ValidationError", "InvalidParameter", "InvalidParameterException", "InvalidParameterValue", "SerializationException"}
)

// deniedText is how AWS words what a policy lacks. Source: IAM's user guide,
// "Troubleshoot access denied error messages".
var deniedText = regexp.MustCompile(`not authorized to perform: (\S+)(?: on resource: (\S+))?`)

// explain asks for the source of the credentials only where a hint names it: they may
// have to be fetched for that.
func explain(action string, err error, source func() string) error {
	if err == nil {
		return nil
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Unavailable, "%s", action).Cause(err).Infrastructure()
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return explainTransport(action, err)
	}
	code := api.ErrorCode()
	f := func(kind fault.Kind) *fault.Error {
		return fault.New(kind, "%s: %s: %s", action, code, api.ErrorMessage())
	}
	switch {
	case slices.Contains(expiredCodes, code):
		return f(fault.Denied).Hint("%s", renewal(source())).Infrastructure()
	case code == "SignatureDoesNotMatch":
		return f(fault.Denied).Hint("check the secret access key, and this machine's clock: AWS allows it five minutes").Infrastructure()
	case slices.Contains(unknownCodes, code):
		return f(fault.Denied).Hint("AWS does not know the access key: check AWS_PROFILE and the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN").Infrastructure()
	case slices.Contains(deniedCodes, code):
		return f(fault.Denied).Hint("%s", missing(api.ErrorMessage())).Infrastructure()
	case slices.Contains(throttledCodes, code):
		return f(fault.Unavailable).Hint("AWS throttled every attempt for about 40 s: try again later").Infrastructure()
	case slices.Contains(invalidCodes, code):
		return f(fault.Invalid)
	}
	var res *awshttp.ResponseError
	if errors.As(err, &res) && res.HTTPStatusCode() >= http.StatusInternalServerError {
		return f(fault.Unavailable).Infrastructure()
	}
	return f(fault.Failed)
}

// explainTransport is for errors that AWS did not send.
func explainTransport(action string, err error) error {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return fault.New(fault.Unavailable, "%s", action).Cause(dns).Infrastructure().
			Hint("is the region right, and does this machine reach AWS? (a proxy: HTTPS_PROXY)")
	case isNoCredentials(err):
		return fault.New(fault.Denied, "%s", action).Cause(noCredentialsError{err}).Infrastructure().
			Hint("set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run `aws login`, or give the CI's job a role")
	}
	return fault.New(fault.Unavailable, "%s", action).Cause(err).Infrastructure()
}

// ErrNoCredentials is in the chain of an error for want of any credentials of AWS.
var ErrNoCredentials = errors.New("no credentials of AWS found")

// noCredentialsError is ErrNoCredentials with what the SDK tried.
type noCredentialsError struct{ tried error }

// Error leaves out what the SDK tried if it came to the last of its sources, the metadata
// of an EC2 instance: then nothing is configured, and the error of that one is beside the
// point.
func (e noCredentialsError) Error() string {
	if tried := e.tried.Error(); !strings.Contains(tried, "no EC2 IMDS role found") {
		return ErrNoCredentials.Error() + ": " + tried
	}
	return ErrNoCredentials.Error()
}

// Unwrap gives errors.Is both.
func (e noCredentialsError) Unwrap() []error { return []error{ErrNoCredentials, e.tried} }

var noCredentialsText = regexp.MustCompile(`refresh cached credentials|no EC2 IMDS role found|get credentials`)

// isNoCredentials goes by the text: the SDK has no type for it.
func isNoCredentials(err error) bool { return noCredentialsText.MatchString(err.Error()) }

// missing names the statement that a policy lacks.
func missing(message string) string {
	m := deniedText.FindStringSubmatch(message)
	switch {
	case m == nil:
		return "the role's policy does not allow it"
	case m[2] == "":
		return "add " + m[1] + " to the policy of the role"
	}
	return "add " + m[1] + " on " + m[2] + " to the policy of the role"
}

// renewal is how credentials of that source are renewed.
func renewal(source string) string {
	switch source {
	case "SSOProvider":
		return "the session of IAM Identity Center ended: run `aws sso login`"
	case "LoginProvider":
		return "the session ended (it lasts 12 hours at most): run `aws login`"
	case "EnvConfigCredentials":
		return "AWS_SESSION_TOKEN has expired and can't be renewed: set new AWS_ variables, then `slipway run --resume`"
	case "AssumeRoleProvider":
		return "a session of a role that was assumed by another role lasts an hour at most: assume it by OIDC or a user instead"
	case "WebIdentityCredentials":
		return "the job's OIDC token was not accepted any more: does the job still run?"
	}
	return "get new credentials, then `slipway run --resume`"
}
