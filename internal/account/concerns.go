package account

import (
	"slices"
	"strings"
)

// Concerned returns the roles that are the project's concern: those of the set, by their
// names, and those that a job of the project may assume, whoever made them, because they
// trust the issuer that the set's roles trust, for a subject that such a job has or for
// any. A trust that can't be read is the concern of no other project either.
func Concerned(existing []ExistingRole, set Set) (all []ExistingRole) {
	names, subjects := map[string]bool{}, map[string][]string{}
	for _, r := range set.Resources {
		spec, ok := r.Spec.(Role)
		if !ok {
			continue
		}
		names[r.Name] = true
		for _, s := range spec.Trust.Statements {
			for _, provider := range s.Principals["Federated"] {
				subjects[provider] = append(subjects[provider], subjectsOf(s, provider)...)
			}
		}
	}
	for _, role := range existing {
		if names[role.Name] || admits(role.Trust, subjects) {
			all = append(all, role)
		}
	}
	return all
}

func subjectsOf(s Statement, provider string) (all []string) {
	_, host, _ := strings.Cut(provider, ":oidc-provider/")
	for _, keys := range s.Conditions {
		all = append(all, keys[host+":sub"]...)
	}
	return all
}

// admits reports whether a trust lets one of the subjects in, by provider.
func admits(trust string, subjects map[string][]string) bool {
	statements, err := readPolicy(trust)
	if err != nil {
		return true
	}
	return slices.ContainsFunc(statements, func(s foundStatement) bool {
		return !s.deny && slices.ContainsFunc(s.principals["Federated"], func(provider string) bool {
			ours, known := subjects[provider]
			_, host, _ := strings.Cut(provider, ":oidc-provider/")
			wanted := s.values(host + ":sub")
			return known && (len(wanted) == 0 || overlap(wanted, ours))
		})
	})
}

// overlap reports whether a pattern matches a subject. Those of the set may be patterns
// themselves, which stand for their own text.
func overlap(patterns, subjects []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		return slices.ContainsFunc(subjects, func(subject string) bool { return matchesPattern(pattern, subject) })
	})
}
