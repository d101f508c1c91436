// Package doctor looks at what a project uses in an account of AWS, before money is spent
// or anything is changed there.
package doctor

import (
	"context"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// CheckRepository returns in what a repository of ECR differs from one for releases; one
// that is missing is fault.NotFound.
type CheckRepository func(ctx context.Context, host, path string) (drift []string, err error)

// Checks returns the checks of one place, in the order in which they are shown.
func Checks(at extension.AWSChecks, repository CheckRepository, o session.Options) []port.Check {
	if o.Backoff == nil {
		o.Backoff = func(int) time.Duration { return pause }
	}
	p := &place{at: at, options: o, repository: repository}
	var checks []port.Check
	if !at.Known {
		checks = []port.Check{
			{Name: "credentials", Run: p.credentials}, {Name: "account", Run: p.account},
			{Name: "region", Run: p.region}, {Name: "clock", Run: p.clock},
		}
	}
	add := func(wanted bool, name string, run func(context.Context) port.CheckResult) {
		if wanted {
			checks = append(checks, port.Check{Name: name, Run: p.asKnown(run)})
		}
	}
	add(at.RepositoryPath != "", "repository", p.ecr)
	add(at.Group != "", "package group", p.group)
	for _, q := range at.Quotas {
		add(true, "quota "+q.Name, func(ctx context.Context) port.CheckResult { return p.quota(ctx, q) })
	}
	add(at.Cluster != "", "cluster in EKS", p.cluster)
	for _, a := range addons() {
		add(at.Cluster != "", "add-on "+a.title, func(ctx context.Context) port.CheckResult { return p.addon(ctx, a) })
	}
	return checks
}

// asKnown runs a check only with credentials of the right account: what AWS says without
// them is said once, where they are looked at.
func (p *place) asKnown(run func(context.Context) port.CheckResult) func(context.Context) port.CheckResult {
	return func(ctx context.Context) port.CheckResult {
		who, err := p.identify(ctx)
		switch {
		case ctx.Err() != nil:
			return unknown(ctx, ctx.Err())
		case isDNS(err):
			return port.CheckResult{State: port.CheckUnknown, Seen: "not asked", Mend: "see region"}
		case err != nil:
			return port.CheckResult{State: port.CheckUnknown, Seen: "not asked", Mend: "see credentials"}
		case p.at.Account != "" && who.account != p.at.Account:
			return port.CheckResult{State: port.CheckUnknown, Seen: "not asked", Mend: "see account"}
		}
		return run(ctx)
	}
}

// pause is between two attempts: who waits for a check wants to know soon.
const pause = 200 * time.Millisecond

// place is what the checks of an account and region share. Nothing is asked before the
// first check needs it, and each thing once.
type place struct {
	at         extension.AWSChecks
	options    session.Options
	repository CheckRepository

	session once[*session.Session]
	who     once[caller]
	quotas  once[map[string]quota]
	addons  once[map[string]bool]
}

func (p *place) open(ctx context.Context) (*session.Session, error) {
	return p.session.get(ctx, func(ctx context.Context) (*session.Session, error) { return session.Open(ctx, p.at.AWS, p.options) })
}

// once keeps the first answer that was not cut short.
type once[T any] struct {
	mu    sync.Mutex
	done  bool
	value T
	err   error
}

func (o *once[T]) get(ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return o.value, o.err
	}
	value, err := ask(ctx)
	if ctx.Err() == nil {
		o.done, o.value, o.err = true, value, err
	}
	return value, err
}

func ok(seen string) port.CheckResult {
	return port.CheckResult{State: port.CheckOK, Seen: seen}
}

func failed(seen, mend string) port.CheckResult {
	return port.CheckResult{State: port.CheckFailed, Seen: seen, Mend: mend}
}

// unknown is a check that AWS did not answer: because it may not be asked, or at all.
func unknown(ctx context.Context, err error) port.CheckResult {
	r := port.CheckResult{State: port.CheckUnknown, Seen: err.Error(), Mend: fault.HintOf(err)}
	switch {
	case ctx.Err() != nil:
		r.Seen, r.Mend = "AWS did not answer in time", "check that this machine reaches AWS (a proxy: HTTPS_PROXY)"
	case r.Mend == "":
		r.Mend = "look it up in AWS's console"
	}
	return r
}
