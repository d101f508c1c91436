package account

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// Merge makes one list of the statements of several parts: those that are alike become one,
// with the needs of both, and nothing is allowed that none of them allows. Actions,
// resources and the values of conditions are sorted, and each Sid is there once.
func Merge(all ...Statement) []Statement {
	var out []Statement
	for _, s := range all {
		s = s.normal()
		i := slices.IndexFunc(out, func(o Statement) bool { return o.mergeable(s) })
		if i < 0 {
			out = append(out, s)
			continue
		}
		o := &out[i]
		o.Actions, o.Resources = union(o.Actions, s.Actions), union(o.Resources, s.Resources)
		o.Needs = uniteNeeds(o.Needs, s.Needs)
	}
	nameOnce(out)
	return out
}

// mergeable: of actions and resources, one list at most may differ.
func (s Statement) mergeable(o Statement) bool {
	if s.Deny != o.Deny || !reflect.DeepEqual(s.Principals, o.Principals) || !reflect.DeepEqual(s.Conditions, o.Conditions) {
		return false
	}
	actions, resources := slices.Equal(s.Actions, o.Actions), slices.Equal(s.Resources, o.Resources)
	return actions && resources || s.Sid == o.Sid && (actions || resources)
}

// normal is a copy whose lists are sorted.
func (s Statement) normal() Statement {
	s.Actions, s.Resources = sorted(s.Actions), sorted(s.Resources)
	s.Needs = slices.Clone(s.Needs)
	if s.Conditions == nil {
		return s
	}
	s.Conditions = maps.Clone(s.Conditions)
	for operator, keys := range s.Conditions {
		keys = maps.Clone(keys)
		for key, values := range keys {
			keys[key] = sorted(values)
		}
		s.Conditions[operator] = keys
	}
	return s
}

func sorted(all []string) []string {
	if all == nil {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

func union(a, b []string) []string { return sorted(slices.Concat(a, b)) }

func uniteNeeds(a, b []Need) []Need {
	for _, n := range b {
		if !slices.Contains(a, n) {
			a = append(a, n)
		}
	}
	return a
}

// nameOnce numbers the Sids that several statements have.
func nameOnce(all []Statement) {
	seen := map[string]int{}
	for i := range all {
		name := all[i].Sid
		if seen[name]++; name != "" && seen[name] > 1 {
			all[i].Sid = name + strconv.Itoa(seen[name])
		}
	}
}
