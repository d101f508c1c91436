// Package resources reads, makes and removes what a project needs in an account of AWS:
// a port.Account for each kind.
package resources

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"sync"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Account is one account and region. It is safe for concurrent use.
type Account struct {
	at      extension.AWS
	options session.Options

	mu      sync.Mutex
	session *session.Session
	roles   *roles // as they were read; nil: not yet, or they have changed
}

// New connects to nothing yet.
func New(at extension.AWS, o session.Options) *Account { return &Account{at: at, options: o} }

// Kinds returns who looks after each kind that is AWS's own.
func (a *Account) Kinds() map[account.Kind]port.Account {
	return map[account.Kind]port.Account{
		account.KindBucket:      bucket{a},
		account.KindProvider:    provider{a},
		account.KindPolicy:      policy{a},
		account.KindRole:        role{a},
		account.KindRepository:  repository{a},
		account.KindModelGroup:  modelGroup{a},
		account.KindLogGroup:    logGroup{a},
		account.KindTopic:       topic{a},
		account.KindAlarm:       alarm{a},
		account.KindPodIdentity: podIdentity{a},
		account.KindAccessEntry: accessEntry{a},
	}
}

func (a *Account) open(ctx context.Context) (*session.Session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session == nil {
		s, err := session.Open(ctx, a.at, a.options)
		if err != nil {
			return nil, err
		}
		a.session = s
	}
	return a.session, nil
}

// do carries a call out, in the account that was named and in no other. The error's code
// is returned, without an error if it is one of those that are expected.
func (a *Account) do(ctx context.Context, action string, call func(s *session.Session) error, expected ...string) (code string, err error) {
	s, err := a.open(ctx)
	if err != nil {
		return "", err
	}
	if err := s.Check(ctx); err != nil {
		return "", err
	}
	err = call(s)
	if code = session.Code(err); code != "" && slices.Contains(expected, code) {
		return code, nil
	}
	return code, s.Explain(ctx, action, err)
}

// json calls a service that takes JSON.
func (a *Account) json(ctx context.Context, action string, api session.API, operation string, in, out any, expected ...string) (code string, err error) {
	return a.do(ctx, action, func(s *session.Session) error { return s.Call(ctx, api, operation, in, out) }, expected...)
}

// query calls a service of the Query protocol.
func (a *Account) query(ctx context.Context, action string, api session.API, operation string, in url.Values, out any, expected ...string) (code string, err error) {
	return a.do(ctx, action, func(s *session.Session) error { return s.Query(ctx, api, operation, in, out) }, expected...)
}

// all takes steps in their order. Where rights are missing, the following ones are tried
// all the same, so that every missing right is named; what fails then fails because of
// those.
func all(steps ...func() error) error {
	var denied []error
	for _, step := range steps {
		err := step()
		switch {
		case err == nil:
		case fault.Is(err, fault.Denied):
			denied = append(denied, err)
		case len(denied) == 0:
			return err
		}
	}
	return errors.Join(denied...)
}

// maxPages bounds the pages of a list.
const maxPages = 100

var errTooManyPages = fault.New(fault.Invalid, "AWS returned more than %d pages", maxPages)

// tag is a tag as most services write it.
type tag struct{ Key, Value string }

func tagList(tags map[string]string) (list []tag) {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, tag{key, tags[key]})
	}
	return list
}

func tagMap(list []tag) map[string]string {
	tags := map[string]string{}
	for _, t := range list {
		tags[t.Key] = t.Value
	}
	return tags
}

// foreign is the error of a name that is taken.
func foreign(r account.Resource) error {
	return fault.New(fault.Conflict, "the %s exists, and is not of this project", r.Title()).
		Hint("another one made it meanwhile: run `slipway aws plan` again")
}

// create makes a resource, or completes one of the project's that is there already:
// a response was lost, or a process was killed.
func create(ctx context.Context, p port.Account, want account.Resource, tags map[string]string) error {
	have, err := p.Read(ctx, want)
	if err != nil {
		return err
	}
	if have == nil || have.Owner() != tags[account.TagProject] {
		return foreign(want)
	}
	return p.Update(ctx, want, tags)
}

// createInSteps makes a resource that one call alone does not make what it is to be.
// begin makes it, and returns AWS's code if it is there already; then goes on with a new
// one.
func createInSteps(ctx context.Context, p port.Account, want account.Resource, tags map[string]string, begin func() (exists string, err error), then func() error) error {
	exists := ""
	return all(func() (err error) {
		exists, err = begin()
		return err
	}, func() error {
		if exists != "" {
			return create(ctx, p, want, tags)
		}
		return then()
	})
}
