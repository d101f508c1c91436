package account

import (
	"fmt"
	"slices"
)

// Action is what a plan does with a resource.
type Action string

// The actions.
const (
	Create Action = "create"
	Adopt  Action = "adopt"  // it is as it is to be: it gets the project's tags
	Narrow Action = "narrow" // it is adopted, and changed to what is wanted
	Repair Action = "repair" // it is the project's, and was changed by others
	Delete Action = "delete" // it is the project's, which does not need it any more
	Leave  Action = "leave"  // it exists, and is not changed
)

// Change is what a plan does with one resource.
type Change struct {
	Action      Action
	Resource    Resource // as it is to be; for what is deleted or left, as it is
	Differences []Difference
	Why         string // a clause, for people; empty: the action says it
	Hint        string // what to do about it; empty: nothing
	Adopted     bool   // it was there before Slipway
}

// Changes reports whether the account is another one afterwards.
func (c Change) Changes() bool { return c.Action != Leave }

// Plan is what makes an account what a project needs, in the order in which it is done.
type Plan struct {
	Changes   []Change
	Unchanged []Resource // of the set, as they are to be
}

// Options select what a plan does.
type Options struct {
	Adopt []string            // names or titles of what is taken over
	Only  func(Resource) bool // nil: everything
	Data  bool                // Destroy: also what can't be made again
}

// New returns the plan that makes the account what the set says. observed is what was
// found of the set, and everything that has the project's tag.
func New(set Set, observed []Observed, o Options) (Plan, error) {
	var p Plan
	wanted := map[string]bool{}
	for _, r := range set.Resources {
		wanted[r.Key()] = true
		if o.Only != nil && !o.Only(r) {
			continue
		}
		i := slices.IndexFunc(observed, func(seen Observed) bool { return seen.Key() == r.Key() })
		if i < 0 {
			p.Changes = append(p.Changes, Change{Action: Create, Resource: r, Why: r.Why})
			continue
		}
		c, err := changeOf(set, r, observed[i], o)
		if err != nil {
			return Plan{}, err
		}
		if c.Action == "" {
			p.Unchanged = append(p.Unchanged, r)
			continue
		}
		p.Changes = append(p.Changes, c)
	}
	if o.Only == nil {
		p.Changes = append(p.Changes, removals(set, observed, wanted, o)...)
	}
	return p, nil
}

// changeOf is what is done with a resource that is there; without an action, nothing.
func changeOf(set Set, want Resource, have Observed, o Options) (Change, error) {
	owner := have.Owner()
	taken := have.IsAdopted() || owner == "" && selects(o.Adopt, want)
	found, err := differences(set, want, have)
	if err != nil {
		return Change{}, fmt.Errorf("compare the %s: %w", want.Title(), err)
	}
	if want.Shared && !taken { // what others added to it is theirs
		found = slices.DeleteFunc(found, func(d Difference) bool { return d.Want == "" })
	}
	c := Change{Resource: want, Differences: found, Adopted: taken}
	switch {
	case owner == set.Project && len(found) == 0:
	case owner == set.Project:
		c.Action = Repair
	case taken && owner == "":
		c.Action, c.Why = Narrow, "it was there before"
		if len(found) == 0 {
			c.Action = Adopt
		}
	case want.Shared && len(found) == 0:
	default:
		c.Action = Leave
		c.Why, c.Hint = left(want, owner)
	}
	return c, nil
}

// left is why a resource of the set that is there stays as it is, and what to do.
func left(want Resource, owner string) (why, hint string) {
	switch {
	case owner != "" && want.Shared:
		return "it is of the project " + owner, "change it from there"
	case owner != "":
		return "it is of the project " + owner, "give this project's one another name"
	case want.Shared:
		return "others use it", adoptHint(want)
	}
	return "it exists, and was not made by Slipway", adoptHint(want)
}

func adoptHint(r Resource) string {
	return fmt.Sprintf("take it over with `slipway aws apply --adopt %s`", r.Name)
}

// differences are those of the spec, and those that no spec has. A lost tag of the
// environment is one, too.
func differences(set Set, want Resource, have Observed) ([]Difference, error) {
	found, err := Diff(want.Spec, have.Spec)
	if err != nil {
		return nil, err
	}
	found = append(found, have.Others...)
	if tag := have.Tags[TagEnvironment]; have.Owner() == set.Project && tag != string(want.Environment) {
		found = append(found, Difference{Path: "tags." + TagEnvironment, Have: tag, Want: string(want.Environment)})
	}
	return found, nil
}

// selects reports whether names have the resource: its name, or KIND/NAME.
func selects(names []string, r Resource) bool {
	return slices.Contains(names, r.Name) || slices.Contains(names, string(r.Kind)+"/"+r.Name)
}

// Kinds returns all kinds in the order in which they are made.
func Kinds() []Kind {
	return []Kind{
		KindBucket, KindProvider, KindPolicy, KindRole, KindRepository, KindModelGroup, KindLogGroup, KindTopic,
		KindAlarm, KindPodIdentity, KindNamespace, KindAccessEntry,
	}
}

// removals are what becomes of the project's resources that are not wanted, the last
// made first.
func removals(set Set, observed []Observed, wanted map[string]bool, o Options) (all []Change) {
	gone := slices.DeleteFunc(slices.Clone(observed), func(seen Observed) bool {
		return wanted[seen.Key()] || seen.Owner() != set.Project || seen.Kind == KindAlarm // deployments make and remove alarms
	})
	for _, seen := range lastFirst(gone) {
		c := removal(seen, o)
		if c.Action == Delete {
			c.Why = "the project does not need it any more"
		}
		all = append(all, c)
	}
	return all
}

func lastFirst(all []Observed) []Observed {
	order := Kinds()
	out := slices.Clone(all)
	slices.Reverse(out)
	slices.SortStableFunc(out, func(a, b Observed) int { return slices.Index(order, b.Kind) - slices.Index(order, a.Kind) })
	return out
}

// removal is what becomes of a resource of the project's when it goes.
func removal(seen Observed, o Options) Change {
	c := Change{Action: Leave, Resource: seen.Resource, Adopted: seen.IsAdopted()}
	switch {
	case c.Adopted:
		c.Why = "it was there before Slipway"
	case len(seen.Users) > 0:
		c.Why = fmt.Sprintf("%s uses it, too", seen.Users[0])
		if more := len(seen.Users) - 1; more > 0 {
			c.Why = fmt.Sprintf("%s and %d more use it, too", seen.Users[0], more)
		}
	case seen.Data && !o.Data:
		c.Why = "it holds data"
		c.Hint = "`slipway aws destroy --data` deletes it with all that is in it"
	default:
		c.Action = Delete
	}
	return c
}

// Destroy returns the plan that removes what is the project's, the last made first. What
// was there before stays, what others use, and without Options.Data what holds data.
func Destroy(set Set, observed []Observed, o Options) Plan {
	var p Plan
	for _, seen := range lastFirst(observed) {
		if seen.Owner() != set.Project {
			continue
		}
		if i := slices.IndexFunc(set.Resources, func(r Resource) bool { return r.Key() == seen.Key() }); i >= 0 {
			seen.Data = seen.Data || set.Resources[i].Data
		}
		p.Changes = append(p.Changes, removal(seen, o))
	}
	return p
}
