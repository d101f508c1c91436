package awstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Minimality is whether something can be taken from policies.
type Minimality struct {
	Statements int      // of all policies
	Tried      int      // what was taken away, each singly
	Removable  []string // what nobody missed, and nothing that has to stay denied needs
}

func (m Minimality) String() string {
	return fmt.Sprintf("%d statements, %d removable", m.Statements, len(m.Removable))
}

// Minimal replays a log of decisions with each part of the policies taken away: every
// statement, action, resource, and value of a condition, every condition, and patterns
// narrowed to what the log has. A part is removable if every access that was allowed still
// is, and every access that has to stay denied still is, too: both the given ones, and
// those of the log with another value, or none, of each condition key that they meet.
func Minimal(log []Judgement, denied []Access, policies ...string) (Minimality, error) {
	r, err := newReplay(log, denied, policies)
	if err != nil {
		return Minimality{}, err
	}
	m := Minimality{}
	for i, text := range policies {
		m.Statements += len(r.policies[i].Statement)
		all, err := Mutations(text, r.allowed)
		if err != nil {
			return m, err
		}
		for _, mutation := range all {
			m.Tried++
			missed, err := r.misses(i, mutation.Policy)
			if err != nil {
				return m, fmt.Errorf("%s: %w", mutation.What, err)
			}
			if !missed {
				m.Removable = append(m.Removable, fmt.Sprintf("policy %d: %s", i+1, mutation.What))
			}
		}
	}
	return m, nil
}

// replay is what policies have to go on allowing and denying.
type replay struct {
	policies        []Policy
	allowed, denied []Access
}

func newReplay(log []Judgement, denied []Access, policies []string) (*replay, error) {
	r := &replay{}
	for _, text := range policies {
		p, err := ParsePolicy(text)
		if err != nil {
			return nil, err
		}
		r.policies = append(r.policies, p)
	}
	seen := map[string]bool{}
	for _, j := range log {
		text := fmt.Sprint(j.Access)
		if j.Decision != Allowed || seen[text] {
			continue
		}
		seen[text] = true
		if decideAll(r.policies, j.Access) != Allowed {
			return nil, fmt.Errorf("the policies do not allow %s on %s with %v, which the log has", j.Access.Action, j.Access.Resource, j.Access.Keys)
		}
		r.allowed = append(r.allowed, j.Access)
		denied = append(slices.Clone(denied), otherwise(j.Access)...)
	}
	for _, a := range denied {
		if decideAll(r.policies, a) != Allowed { // what is allowed for another reason proves nothing
			r.denied = append(r.denied, a)
		}
	}
	return r, nil
}

// otherwise are an access with another value of each of its condition keys, and without.
func otherwise(a Access) (all []Access) {
	for key, values := range a.Keys {
		other := maps.Clone(a.Keys)
		other[key] = []string{"another-than-" + strings.Join(values, "-")}
		none := maps.Clone(a.Keys)
		delete(none, key)
		more := maps.Clone(a.Keys)
		more[key] = []string{"1000000000"} // than a limit allows
		all = append(all, Access{a.Action, a.Resource, other}, Access{a.Action, a.Resource, none}, Access{a.Action, a.Resource, more})
	}
	return all
}

// misses reports whether something changes when a policy is replaced.
func (r *replay) misses(i int, text string) (bool, error) {
	p, err := ParsePolicy(text)
	if err != nil {
		return false, err
	}
	changed := slices.Clone(r.policies)
	changed[i] = p
	lost := slices.ContainsFunc(r.allowed, func(a Access) bool { return decideAll(changed, a) != Allowed })
	gained := slices.ContainsFunc(r.denied, func(a Access) bool { return decideAll(changed, a) == Allowed })
	return lost || gained, nil
}

// Mutation is a policy with something taken away.
type Mutation struct {
	What   string // such as "Push: action ecr:PutImage"
	Policy string
}

// Mutations are what can be taken from a policy, each singly. Patterns of actions, and the
// resource *, are narrowed to what the accesses have.
func Mutations(policy string, used []Access) ([]Mutation, error) {
	var doc struct {
		Version   string
		ID        string `json:"Id,omitempty"`
		Statement []map[string]any
	}
	if err := json.Unmarshal([]byte(policy), &doc); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	var all []Mutation
	for i, s := range doc.Statement {
		name := fmt.Sprintf("statement %d", i+1)
		if sid, ok := s["Sid"].(string); ok {
			name = sid
		}
		for _, m := range mutate(s, used) {
			changed := doc
			changed.Statement = slices.Clone(doc.Statement)
			if changed.Statement[i] = m.statement; m.statement == nil {
				changed.Statement = slices.Delete(changed.Statement, i, i+1)
			}
			text, err := json.Marshal(changed)
			if err != nil {
				return nil, err
			}
			all = append(all, Mutation{name + ": " + m.what, string(text)})
		}
	}
	return all, nil
}
