package app

import (
	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// AccountPlan is what `slipway aws plan` prints, and what apply and destroy do.
type AccountPlan struct {
	Project string         `json:"project"`
	Places  []AccountPlace `json:"places"`
}

// AccountPlace is the plan for one account and region.
type AccountPlace struct {
	Account   string          `json:"account"`
	Region    string          `json:"region"`
	Changes   []AccountChange `json:"changes"`
	Unchanged int             `json:"unchanged"` // how many resources are as they are to be
	Costs     []account.Cost  `json:"costs"`     // of what is there afterwards
	// Findings are what roles of the account allow beyond what the project needs, or lack.
	// Those of roles that are not the project's are its owner's to mend.
	Findings []account.Finding `json:"findings"`
}

// AccountChange is what is done with one resource.
type AccountChange struct {
	Action      account.Action       `json:"action"`
	Kind        account.Kind         `json:"kind"`
	Name        string               `json:"name"`
	ARN         string               `json:"arn,omitempty"`
	Environment delivery.Environment `json:"environment,omitempty"`
	Why         string               `json:"why,omitempty"`
	Hint        string               `json:"hint,omitempty"`
	Differences []account.Difference `json:"differences"`
}

// Changes reports whether the account is another one afterwards.
func (p AccountPlan) Changes() bool { return p.Count() > 0 }

// Count returns how many resources are changed.
func (p AccountPlan) Count() (n int) {
	for _, at := range p.Places {
		for _, c := range at.Changes {
			if c.Action != account.Leave {
				n++
			}
		}
	}
	return n
}

// Differs reports whether the account is not what the project needs, also where nothing
// is changed because it is not Slipway's.
func (p AccountPlan) Differs() bool {
	for _, at := range p.Places {
		for _, c := range at.Changes {
			if c.Action != account.Leave || len(c.Differences) > 0 {
				return true
			}
		}
	}
	return false
}

func (p AccountPlan) isEmpty() bool {
	for _, at := range p.Places {
		if len(at.Changes)+at.Unchanged > 0 {
			return false
		}
	}
	return true
}

func accountView(project string, places []*place) AccountPlan {
	out := AccountPlan{Project: project, Places: []AccountPlace{}}
	for _, p := range places {
		at := AccountPlace{Account: p.set.Account, Region: p.set.Region, Changes: []AccountChange{}, Unchanged: len(p.plan.Unchanged), Findings: p.findings}
		there := p.plan.Unchanged
		for _, c := range p.plan.Changes {
			at.Changes = append(at.Changes, changeView(c))
			if c.Action != account.Delete {
				there = append(there, c.Resource)
			}
		}
		if at.Costs = account.Costs(there); at.Costs == nil {
			at.Costs = []account.Cost{}
		}
		if at.Findings == nil {
			at.Findings = []account.Finding{}
		}
		out.Places = append(out.Places, at)
	}
	return out
}

func changeView(c account.Change) AccountChange {
	v := AccountChange{
		Action: c.Action, Kind: c.Resource.Kind, Name: c.Resource.Name, ARN: c.Resource.ARN, Environment: c.Resource.Environment,
		Why: c.Why, Hint: c.Hint, Differences: c.Differences,
	}
	if v.Differences == nil {
		v.Differences = []account.Difference{}
	}
	return v
}
