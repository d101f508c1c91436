package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/textline"
)

// quotaText is how SageMaker words a limit of the account. Source: issues that quote it,
// such as https://github.com/zenml-io/zenml/issues/847.
var quotaText = regexp.MustCompile(`service limit '([^']{1,200})' is (\d+).{0,40}current utilization of (\d+)`)

// refused explains why a job was not made.
func (j *Jobs) refused(ctx context.Context, c *connection, action string, err error) error {
	limit := (*types.ResourceLimitExceeded)(nil)
	if !errors.As(err, &limit) {
		return c.session.Explain(ctx, action, err)
	}
	where := fmt.Sprintf("https://%s.console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas", c.session.Config.Region)
	m := quotaText.FindStringSubmatch(limit.ErrorMessage())
	if m == nil {
		return fault.New(fault.Exhausted, "%s: a quota of the account: %s", action, textline.Printable(limit.ErrorMessage(), maxReason)).Hint("ask AWS for a higher one: %s", where)
	}
	return fault.New(fault.Exhausted, "%s: the account's quota %q is %s, and %s are in use", action, m[1], m[2], m[3]).
		Hint("ask AWS for a higher one, or name another type in on.sagemaker.instances: %s", where)
}

// maxReason bounds AWS's words, in characters.
const maxReason = 500

var exitText = regexp.MustCompile(`(?i)exit code:? ?(\d{1,3})`)

// exitCode finds the exit code of the command in what the job left.
func (l look) exitCode() (int, bool) {
	for _, text := range []string{l.message, l.reason} {
		if m := exitText.FindStringSubmatch(text); m != nil {
			code, err := strconv.Atoi(m[1])
			return code, err == nil && code != 0
		}
	}
	return 0, false
}

// isCommands reports whether the job failed because its command did.
func (l look) isCommands() bool {
	_, ok := l.exitCode()
	return ok && strings.HasPrefix(l.reason, "AlgorithmError")
}

// infrastructure explains why a job failed whose command did not.
func (j *Jobs) infrastructure(name string, l look) error {
	reason := textline.Printable(l.reason, maxReason)
	if strings.Contains(l.reason, "CapacityError") {
		return fault.New(fault.Exhausted, "job %s: AWS has no capacity: %s", name, reason).
			Hint("tried: %s. Name more types in on.sagemaker.instances, or try again later", strings.Join(j.section.Instances, ", "))
	}
	return fault.New(fault.Failed, "job %s failed: %s", name, reason).Hint("see its log, and the job in the console of SageMaker")
}

// checkCredentials refuses to begin what may outlast credentials that are not renewed.
func (j *Jobs) checkCredentials(ctx context.Context, c *connection, need time.Duration) error {
	got, err := c.session.Config.Credentials.Retrieve(ctx)
	if err != nil {
		return c.session.Explain(ctx, "get the credentials of AWS", err)
	}
	if got.Source != "EnvConfigCredentials" || got.SessionToken == "" {
		return nil
	}
	lookup := j.options.Lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	text, _ := lookup("AWS_CREDENTIAL_EXPIRATION")
	ends, err := time.Parse(time.RFC3339, text)
	switch {
	case err == nil && j.clock().Add(need).Before(ends):
		return nil
	case err == nil:
		err = fault.New(fault.Denied, "the job may take %s, and AWS_SESSION_TOKEN ends at %s and can't be renewed", need, ends.Format(time.RFC3339)).Infrastructure().
			Hint("%s", renewable)
		return err
	}
	return fault.New(fault.Denied, "the job may take %s, and AWS_SESSION_TOKEN can't be renewed: it may expire before the job has ended", need).Infrastructure().
		Hint("%s; or set AWS_CREDENTIAL_EXPIRATION, as `aws configure export-credentials` prints it", renewable)
}

const renewable = "use a profile (AWS_PROFILE), `aws login`, or aws.role with `permissions: {id-token: write}` in GitHub Actions; lower max_runtime for a short job"
