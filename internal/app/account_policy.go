package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/design"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// AccountPolicyOptions select policies.
type AccountPolicyOptions struct {
	Environment delivery.Environment // those of its own role, and of those that its jobs have; empty: all
	Role        string               // a name, or approver, reader, execution, boundary; empty: all
}

// AccountPolicy is a role of the project with its trust, or a policy of people.
type AccountPolicy struct {
	Name       string               `json:"name"`
	ARN        string               `json:"arn"`
	Why        string               `json:"why"`
	Env        delivery.Environment `json:"environment,omitempty"`
	Trust      json.RawMessage      `json:"trust,omitempty"` // as IAM takes it
	Policy     json.RawMessage      `json:"policy"`          // as IAM takes it
	Statements []AccountStatement   `json:"statements"`      // of both, with their reasons
}

// AccountStatement is a statement, and why it is there.
type AccountStatement struct {
	Sid        string        `json:"sid"`
	Trust      bool          `json:"trust,omitempty"`
	Actions    []string      `json:"actions"`
	Resources  []string      `json:"resources,omitempty"`
	Principals []string      `json:"principals,omitempty"`
	Conditions []string      `json:"conditions,omitempty"` // "KEY is VALUE or VALUE"
	Needs      []AccountNeed `json:"needs"`
}

// AccountNeed is a reason for a statement.
type AccountNeed struct {
	Step string `json:"step"`
	Call string `json:"call,omitempty"` // empty: all of the statement's actions
	Why  string `json:"why"`
}

// AccountPolicies returns the policies that the project needs in AWS. AWS is not asked.
func (a *App) AccountPolicies(ctx context.Context, o AccountPolicyOptions) ([]AccountPolicy, error) {
	w, err := a.findWorkspace(ctx)
	if err != nil {
		return nil, err
	}
	rules, _, err := a.localPolicy(w.Repository)
	if err != nil {
		return nil, err
	}
	project, err := a.loadProject(w.Repository, rules)
	if err != nil {
		return nil, err
	}
	if o.Environment != "" {
		if _, err := project.Environment(o.Environment); err != nil {
			return nil, err
		}
	}
	var all []AccountPolicy
	var names []string
	for _, at := range design.Places(&project) {
		set, err := design.New(&project, design.Options{Kinds: a.Kinds, Account: at.Account, Region: at.Region})
		if err != nil {
			return nil, err
		}
		for _, r := range set.Resources {
			p, ok, err := policyOf(r)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			names = append(names, r.Name)
			if o.selects(r, project.Service) {
				all = append(all, p)
			}
		}
	}
	if len(all) == 0 {
		return nil, fault.New(fault.NotFound, "%s needs no such policy in AWS", config.FileName).Hint("%s", fault.DidYouMean(cmp.Or(o.Role, string(o.Environment)), names))
	}
	return all, nil
}

// selects: a role by its name, people's policies by what they are for.
func (o AccountPolicyOptions) selects(r account.Resource, service string) bool {
	role, isRole := r.Spec.(account.Role)
	switch {
	case o.Environment != "" && r.Environment != o.Environment:
		return false
	case o.Role == "":
		return true
	case o.Role == "execution":
		return isRole && isExecution(role)
	}
	return r.Name == o.Role || r.ARN == o.Role || r.Name == "slipway-"+service+"-"+o.Role
}

// isExecution reports whether a service of AWS works with the role.
func isExecution(r account.Role) bool {
	return slices.ContainsFunc(r.Trust.Statements, func(s account.Statement) bool {
		return slices.Contains(s.Principals["Service"], "sagemaker.amazonaws.com")
	})
}

// policyOf shows a role or a policy; ok is false for anything else.
func policyOf(r account.Resource) (p AccountPolicy, ok bool, err error) {
	p = AccountPolicy{Name: r.Name, ARN: r.ARN, Why: r.Why, Env: r.Environment}
	switch spec := r.Spec.(type) {
	case account.Role:
		if p.Trust, err = json.Marshal(spec.Trust); err != nil {
			return p, false, err
		}
		p.Statements = append(explained(spec.Trust, true), explained(spec.Rights, false)...)
		p.Policy, err = json.Marshal(spec.Rights)
	case account.Policy:
		p.Statements = explained(spec.Document, false)
		p.Policy, err = json.Marshal(spec.Document)
	default:
		return p, false, nil
	}
	return p, true, err
}

func explained(d account.Document, trust bool) []AccountStatement {
	var all []AccountStatement
	for _, s := range d.Statements {
		e := AccountStatement{Sid: s.Sid, Trust: trust, Actions: s.Actions, Resources: s.Resources, Conditions: conditionTexts(s.Conditions)}
		for _, kind := range slices.Sorted(maps.Keys(s.Principals)) {
			e.Principals = append(e.Principals, s.Principals[kind]...)
		}
		for _, n := range s.Needs {
			e.Needs = append(e.Needs, AccountNeed(n))
		}
		all = append(all, e)
	}
	return all
}

func conditionTexts(all account.Conditions) (texts []string) {
	for _, operator := range slices.Sorted(maps.Keys(all)) {
		for _, key := range slices.Sorted(maps.Keys(all[operator])) {
			verb := "is"
			switch {
			case strings.HasSuffix(operator, "IfExists"):
				verb = "is, if it is sent,"
			case strings.HasSuffix(operator, "Like"):
				verb = "is like"
			}
			texts = append(texts, fmt.Sprintf("%s %s %s", key, verb, strings.Join(all[operator][key], " or ")))
		}
	}
	return texts
}
