// Package ecr logs in to AWS's registries of images, with the credentials of AWS: no
// docker login, no helper program.
package ecr

import (
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// hosts of registries. The suffix is exact: a password must not reach
// 111122223333.dkr.ecr.eu-west-1.amazonaws.com.evil.example.
var hostPattern = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com|amazonaws\.com\.cn|on\.aws)$`)

// early is how long before its end a password is replaced: a push may take as long.
const early = 30 * time.Minute

// noneFor is how long a machine without credentials of AWS is believed to have none:
// looking for them asks the metadata service, which may not respond for seconds.
const noneFor = 5 * time.Minute

// Logins are the passwords of registries, kept until shortly before they end. It is
// safe for concurrent use.
type Logins struct {
	options session.Options
	roles   Roles
	clock   func() time.Time

	mu    sync.Mutex
	known map[place]login
}

// Roles are the roles by which registries are reached, by their hosts. One without a role
// is reached with the credentials as they are.
type Roles map[string]string

// place is where a password is valid, and whose it is.
type place struct{ region, role string }

// login is one for a place; without a user, there is none.
type login struct {
	user, password string
	until          time.Time
}

// New returns no logins yet. A nil clock is time.Now.
func New(o session.Options, roles Roles, clock func() time.Time) *Logins {
	if clock == nil {
		clock = time.Now
	}
	return &Logins{options: o, roles: roles, clock: clock, known: map[place]login{}}
}

// Login returns the user and password for the registry at host. It returns false for
// a host that is not one of ECR's, and where there are no credentials of AWS: Docker's
// configuration may have a login.
func (l *Logins) Login(ctx context.Context, host string) (user, password string, ok bool, err error) {
	m := hostPattern.FindStringSubmatch(host)
	if m == nil {
		return "", "", false, nil
	}
	at := place{m[3], l.roles[host]}
	l.mu.Lock()
	found, has := l.known[at]
	l.mu.Unlock()
	if !has || !l.clock().Add(early).Before(found.until) {
		found, err = l.fetch(ctx, host, at)
		switch {
		case errors.Is(err, session.ErrNoCredentials):
			found = login{until: l.clock().Add(early + noneFor)}
		case err != nil:
			return "", "", false, err
		}
		l.mu.Lock()
		l.known[at] = found
		l.mu.Unlock()
	}
	return found.user, found.password, found.user != "", nil
}

func (l *Logins) fetch(ctx context.Context, host string, at place) (login, error) {
	action := "log in to " + host
	s, err := session.Open(ctx, extension.AWS{Region: at.region, Role: at.role}, l.options)
	if err != nil {
		return login{}, err
	}
	out, err := ecr.NewFromConfig(s.Config).GetAuthorizationToken(ctx, nil)
	if err != nil {
		return login{}, s.Explain(ctx, action, err)
	}
	if len(out.AuthorizationData) == 0 {
		return login{}, fault.New(fault.Unavailable, "%s: AWS returned no password", action)
	}
	data := out.AuthorizationData[0]
	text, err := base64.StdEncoding.DecodeString(aws.ToString(data.AuthorizationToken))
	user, password, found := strings.Cut(string(text), ":")
	if err != nil || !found {
		return login{}, fault.New(fault.Unavailable, "%s: AWS returned a password in an unknown form", action)
	}
	return login{user, password, aws.ToTime(data.ExpiresAt)}, nil
}
