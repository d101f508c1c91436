// Package session opens a connection to AWS as slipway.yaml says: which account and
// region, and by which role. Everything in adapter/aws starts with a Session.
package session

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Options are for tests. The zero value is what programs want.
type Options struct {
	Client  aws.HTTPClient                   // nil: the SDK's own
	Backoff func(attempt int) time.Duration  // nil: exponential with jitter
	Lookup  func(name string) (string, bool) // of GitHub's token; nil: this process's environment
}

// Session is a connection to one account and region. It is safe for concurrent use.
type Session struct {
	Config aws.Config
	at     extension.AWS

	mu      sync.Mutex
	checked *identity
}

type identity struct{ account, arn string }

// Open makes a session and sends nothing yet. Credentials come from the SDK's chain:
// variables, profiles and `aws login`, roles of pods and instances. In a job of GitHub
// Actions that may have OIDC tokens, the role is assumed by one, and again for as long
// as the job runs.
func Open(ctx context.Context, at extension.AWS, o Options) (*Session, error) {
	if at.Region == "" {
		return nil, fault.New(fault.Invalid, "the region of AWS is not set").Hint("set aws: {region: ...} in slipway.yaml")
	}
	if o.Lookup == nil {
		o.Lookup = os.LookupEnv
	}
	load := []func(*config.LoadOptions) error{
		config.WithRegion(at.Region),     // AWS_REGION loses
		config.WithLogger(logging.Nop{}), // it would print to the standard error stream
		config.WithRetryer(func() aws.Retryer { return newRetryer(o.Backoff) }),
	}
	if o.Client != nil {
		load = append(load, config.WithHTTPClient(o.Client))
	}
	c, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, Explain("read the configuration of AWS", err)
	}
	if at.Role != "" {
		c.Credentials = aws.NewCredentialsCache(roleProvider(c, at.Role, o))
	}
	return &Session{Config: c, at: at}, nil
}

// sessionName is what CloudTrail shows. Its length and characters are bounded.
const sessionName = "slipway"

func roleProvider(c aws.Config, role string, o Options) aws.CredentialsProvider {
	client := sts.NewFromConfig(c)
	if token, ok := newGitHubToken(o); ok {
		return stscreds.NewWebIdentityRoleProvider(client, role, token, func(w *stscreds.WebIdentityRoleOptions) { w.RoleSessionName = sessionName })
	}
	return &assumer{base: c.Credentials, client: client, role: role}
}

// assumer assumes a role, unless the credentials are of a session of that role already.
type assumer struct {
	base   aws.CredentialsProvider
	client *sts.Client
	role   string
}

// Retrieve implements aws.CredentialsProvider.
func (a *assumer) Retrieve(ctx context.Context) (aws.Credentials, error) {
	who, err := a.client.GetCallerIdentity(ctx, nil)
	if err != nil {
		return aws.Credentials{}, err
	}
	if roleOf(aws.ToString(who.Arn)) == roleOf(a.role) {
		return a.base.Retrieve(ctx)
	}
	return stscreds.NewAssumeRoleProvider(a.client, a.role, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = sessionName }).Retrieve(ctx)
}

// roleOf returns "account:name" of a role or of a session of it, or "". A session's ARN
// has no path.
func roleOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 {
		return ""
	}
	account, path := parts[4], strings.Split(parts[5], "/")
	switch {
	case path[0] == "role" && len(path) > 1:
		return account + ":" + path[len(path)-1]
	case path[0] == "assumed-role" && len(path) == 3:
		return account + ":" + path[1]
	}
	return ""
}

// Check requires the credentials to be of the account that slipway.yaml names. Every
// adapter calls it before its first call that writes; it is asked once.
func (s *Session) Check(ctx context.Context) error {
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	if s.at.Account != "" && who.account != s.at.Account {
		return fault.New(fault.Invalid, "the credentials are of account %s (%s), slipway.yaml names %s", who.account, who.arn, s.at.Account).
			Hint("use credentials of account %s (AWS_PROFILE, `aws login`), or correct aws.account", s.at.Account)
	}
	return nil
}

func (s *Session) identity(ctx context.Context) (identity, error) {
	s.mu.Lock()
	known := s.checked
	s.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	out, err := sts.NewFromConfig(s.Config).GetCallerIdentity(ctx, nil)
	if err != nil {
		return identity{}, s.Explain(ctx, "find out whose the credentials of AWS are", err)
	}
	who := identity{aws.ToString(out.Account), aws.ToString(out.Arn)}
	s.mu.Lock()
	s.checked = &who
	s.mu.Unlock()
	return who, nil
}

// Explain makes err a fault with a hint that fits where the credentials came from.
func (s *Session) Explain(ctx context.Context, action string, err error) error {
	return explain(action, err, func() string {
		c, credentialsErr := s.Config.Credentials.Retrieve(ctx)
		if credentialsErr != nil {
			return ""
		}
		return c.Source
	})
}
