package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/design"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Accounts returns who looks after the resources of each kind in an account and region.
type Accounts func(at extension.AWS) map[account.Kind]port.Account

// OnlyState is AccountOptions.Only for the bucket of the shared state.
const OnlyState = "state"

// AccountOptions select what is done in accounts of AWS.
type AccountOptions struct {
	Only  string   // OnlyState, or KIND/NAME; empty: everything
	Adopt []string // names of what is taken over
	Data  bool     // destroying: also what can't be made again
	// Confirm is given the plan before anything is changed; an error ends it. nil: goes on.
	Confirm func(AccountPlan) error
	// Done is called with each change that was made; nil: not called.
	Done func(AccountChange)
}

// place is an account and region with its set, and who looks after it.
type place struct {
	set   account.Set
	kinds map[account.Kind]port.Account
	plan  account.Plan

	findings []account.Finding
}

// PlanAccount returns what would be changed in the accounts of the project.
func (a *App) PlanAccount(ctx context.Context, o AccountOptions) (AccountPlan, error) {
	_, p, err := a.planAccount(ctx, o, false)
	return p, err
}

// ApplyAccount makes the accounts what the project needs. It is idempotent: killed at any
// instant, the next one goes on. What it says at the end is what was done.
func (a *App) ApplyAccount(ctx context.Context, o AccountOptions) (AccountPlan, error) {
	return a.changeAccount(ctx, o, false)
}

// DestroyAccount removes what is the project's, the last made first. Data stays unless
// the options say so, and what others use stays.
func (a *App) DestroyAccount(ctx context.Context, o AccountOptions) (AccountPlan, error) {
	return a.changeAccount(ctx, o, true)
}

func (a *App) changeAccount(ctx context.Context, o AccountOptions, destroy bool) (AccountPlan, error) {
	places, p, err := a.planAccount(ctx, o, destroy)
	if err != nil || !p.Changes() {
		return p, err
	}
	if o.Confirm != nil {
		if err := o.Confirm(p); err != nil {
			return p, err
		}
	}
	var denied []error
	for _, at := range places {
		err := at.carryOut(ctx, o.Done)
		if err != nil && !fault.Is(err, fault.Denied) {
			return p, err
		}
		denied = append(denied, err)
	}
	return p, missingRights("change the account", errors.Join(denied...))
}

// planAccount plans every account and region that the project names.
func (a *App) planAccount(ctx context.Context, o AccountOptions, destroy bool) ([]*place, AccountPlan, error) {
	project, err := a.accountProject(ctx)
	if err != nil {
		return nil, AccountPlan{}, err
	}
	var places []*place
	var denied []error
	for _, at := range design.Places(&project) {
		set, err := design.New(&project, design.Options{Kinds: a.Kinds, Account: at.Account, Region: at.Region})
		if err != nil {
			return nil, AccountPlan{}, err
		}
		p := &place{set: set, kinds: a.Accounts(extension.AWS{Account: set.Account, Region: set.Region})}
		switch err := p.look(ctx, o, destroy); {
		case fault.Is(err, fault.Denied):
			denied = append(denied, err)
		case err != nil:
			return nil, AccountPlan{}, err
		}
		places = append(places, p)
	}
	if err := missingRights("read the account", errors.Join(denied...)); err != nil {
		return nil, AccountPlan{}, err
	}
	p := accountView(project.Service, places)
	if o.Only != "" && p.isEmpty() {
		return nil, p, fault.New(fault.NotFound, "%s needs no %s", config.FileName, o.Only).Hint("`slipway aws plan` lists what it needs, by KIND/NAME")
	}
	return places, p, nil
}

// accountProject reads the project, without its records: they may be in what is to be
// made.
func (a *App) accountProject(ctx context.Context) (config.Project, error) {
	w, err := a.findWorkspace(ctx)
	if err != nil {
		return config.Project{}, err
	}
	rules, _, err := a.localPolicy(w.Repository)
	if err != nil {
		return config.Project{}, err
	}
	return a.loadProject(w.Repository, rules)
}

// look reads what is there, and plans.
func (p *place) look(ctx context.Context, o AccountOptions, destroy bool) error {
	only := onlyOf(o.Only)
	observed, err := p.observe(ctx, only)
	if err != nil {
		return err
	}
	options := account.Options{Adopt: o.Adopt, Only: only, Data: o.Data}
	if destroy {
		p.plan = account.Destroy(p.set, observed, options)
		return nil
	}
	if p.plan, err = account.New(p.set, observed, options); err != nil || only != nil {
		return err
	}
	return p.judge(ctx)
}

// judge looks at the roles that the project's jobs may assume.
func (p *place) judge(ctx context.Context) error {
	reader, ok := p.kinds[account.KindRole].(port.AccountRoles)
	if !ok {
		return nil
	}
	all, err := reader.Roles(ctx)
	if err != nil {
		return err
	}
	p.findings = account.Findings(account.Concerned(all, p.set), p.set)
	return nil
}

// onlyOf selects resources; nil: all of them.
func onlyOf(text string) func(account.Resource) bool {
	switch text {
	case "":
		return nil
	case OnlyState:
		return func(r account.Resource) bool { return r.Kind == account.KindBucket && r.Why == design.StateWhy }
	}
	return func(r account.Resource) bool { return string(r.Kind)+"/"+r.Name == text }
}

// observe reads what the set names, and unless only some of it is asked for, what has the
// project's tag. Missing rights are gathered: the error joins them all.
func (p *place) observe(ctx context.Context, only func(account.Resource) bool) (found []account.Observed, err error) {
	var denied []error
	keep := func(err error) error {
		if fault.Is(err, fault.Denied) {
			denied = append(denied, err)
			return nil
		}
		return err
	}
	for _, r := range p.set.Resources {
		kind := p.kinds[r.Kind]
		if kind == nil || only != nil && !only(r) {
			continue
		}
		o, err := kind.Read(ctx, r)
		if err = keep(err); err != nil {
			return nil, err
		}
		if o != nil {
			found = append(found, *o)
		}
	}
	if only == nil {
		owned, err := p.owned(ctx, keep)
		if err != nil {
			return nil, err
		}
		found = merge(found, owned)
	}
	return found, errors.Join(denied...)
}

func (p *place) owned(ctx context.Context, keep func(error) error) (found []account.Observed, err error) {
	for _, kind := range account.Kinds() {
		if p.kinds[kind] == nil {
			continue
		}
		some, err := p.kinds[kind].Owned(ctx, p.set)
		if err = keep(err); err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

// merge adds what has the project's tag; of what was read already, only its users are new.
func merge(read, owned []account.Observed) []account.Observed {
	for _, o := range owned {
		i := slices.IndexFunc(read, func(r account.Observed) bool { return r.Key() == o.Key() })
		if i < 0 {
			read = append(read, o)
			continue
		}
		read[i].Users = o.Users
	}
	return read
}

// carryOut makes the changes. Where rights are missing, the others are made all the same:
// the error joins what was refused.
func (p *place) carryOut(ctx context.Context, done func(AccountChange)) error {
	var denied []error
	for _, c := range p.plan.Changes {
		if !c.Changes() {
			continue
		}
		err := p.carryOutOne(ctx, c)
		switch {
		case fault.Is(err, fault.Denied):
			denied = append(denied, err)
			continue
		case err != nil && len(denied) > 0: // it needs what was refused before
			continue
		case err != nil:
			return err
		}
		if done != nil {
			done(changeView(c))
		}
	}
	return errors.Join(denied...)
}

func (p *place) carryOutOne(ctx context.Context, c account.Change) error {
	kind := p.kinds[c.Resource.Kind]
	if kind == nil {
		return fault.New(fault.Internal, "Slipway does not manage the %s", c.Resource.Title())
	}
	tags := p.set.Tags(c.Resource, c.Adopted)
	switch c.Action {
	case account.Create:
		return kind.Create(ctx, c.Resource, tags)
	case account.Delete:
		return kind.Delete(ctx, c.Resource)
	case account.Adopt, account.Narrow, account.Repair:
		return kind.Update(ctx, c.Resource, tags)
	}
	return fault.New(fault.Internal, "%s the %s", c.Action, c.Resource.Title())
}

// missingRights makes one error of what was refused: its hint has every statement that
// is missing.
func missingRights(action string, err error) error {
	if err == nil {
		return nil
	}
	d, others := refused(err)
	if len(d.Statements) == 0 {
		return err
	}
	text, jsonErr := d.MarshalJSON()
	if jsonErr != nil {
		return errors.Join(err, jsonErr)
	}
	hint := fmt.Sprintf("an administrator has to add this policy to whoever runs this command, who then runs it again: %s", text)
	if len(others) > 0 {
		hint += "; " + strings.Join(others, "; ")
	}
	actions := 0
	for _, s := range d.Statements {
		actions += len(s.Actions)
	}
	return fault.New(fault.Denied, "%s: rights to %d actions are missing", action, actions).Hint("%s", hint).Infrastructure()
}
