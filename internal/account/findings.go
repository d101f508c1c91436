package account

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is a fault of a role or a policy that an account has.
type Finding struct {
	Role      string `json:"role"`
	Policy    string `json:"policy"`    // "trust", or the name of one
	Statement string `json:"statement"` // its Sid or number; empty: the policy as a whole
	What      string `json:"what"`      // what is wrong
	Why       string `json:"why"`       // what follows from it
	Do        string `json:"do"`
}

// String is the finding in one line.
func (f Finding) String() string {
	where := f.Role + ", " + f.Policy
	if f.Statement != "" {
		where += ", statement " + f.Statement
	}
	return fmt.Sprintf("%s: %s: %s. %s", where, f.What, f.Why, f.Do)
}

// ExistingRole is a role as an account has it.
type ExistingRole struct {
	Name     string
	Trust    string            // JSON
	Policies map[string]string // JSON of the inline and attached policies by their names
}

// Findings are the faults of existing roles, compared with what the project needs: that of
// a role of the same name, or for any other role that of all. A document that is no policy
// is one, too.
func Findings(existing []ExistingRole, set Set) []Finding {
	var all []Finding
	for _, role := range existing {
		f := &finder{role: role.Name, wanted: wantedOf(role.Name, set)}
		f.trust(role.Trust)
		for _, name := range sortedKeys(role.Policies) {
			f.rights(name, role.Policies[name])
		}
		f.missing()
		all = append(all, f.found...)
	}
	return all
}

// wantedOf are the statements that the project's role of that name has, or all of its
// roles for a name that is not among them.
func wantedOf(name string, set Set) []Statement {
	var own, all []Statement
	for _, r := range set.Resources {
		spec, ok := r.Spec.(Role)
		if !ok {
			continue
		}
		all = append(all, spec.Rights.Statements...)
		if r.Name == name {
			own = spec.Rights.Statements
		}
	}
	if own != nil {
		return own
	}
	return all
}

// finder collects the findings of a role.
type finder struct {
	role    string
	wanted  []Statement
	allowed []foundStatement
	found   []Finding
}

func (f *finder) add(policy string, s foundStatement, what, why, do string) {
	f.found = append(f.found, Finding{f.role, policy, s.name, what, why, do})
}

func (f *finder) read(policy, text string) []foundStatement {
	all, err := readPolicy(text)
	if err != nil {
		f.add(policy, foundStatement{}, "it can't be read", err.Error(), "Look at it in IAM.")
	}
	return all
}

// trust looks at who may assume the role.
func (f *finder) trust(text string) {
	for _, s := range f.read("trust", text) {
		if s.deny {
			continue
		}
		if slices.Contains(s.principals["AWS"], "*") && len(s.conditions) == 0 {
			f.add("trust", s, "its principal is *", "everybody in every account may assume the role", "Name users and roles.")
		}
		for _, provider := range s.principals["Federated"] {
			if _, host, ok := strings.Cut(provider, ":oidc-provider/"); ok {
				f.tokens(s, host)
			}
		}
	}
}

// tokens looks at the conditions for the tokens of an issuer.
func (f *finder) tokens(s foundStatement, host string) {
	for _, c := range s.conditions {
		if strings.HasPrefix(c.operator, "ForAllValues:") && strings.HasPrefix(c.key, strings.ToLower(host)+":") {
			f.add("trust", s, c.operator+" on "+c.key, "it is true of a token that lacks the claim", "Use StringEquals.")
		}
	}
	subjects := s.values(host + ":sub")
	switch {
	case len(subjects) == 0:
		f.add("trust", s, "it does not test "+host+":sub", "jobs of every repository of the issuer may assume the role", "Test the exact subject by StringEquals.")
	default:
		for _, subject := range subjects {
			f.subject(s, host, subject)
		}
	}
	if len(s.values(host+":aud")) == 0 {
		f.add("trust", s, "it does not test "+host+":aud", "tokens that were made for others than AWS are taken", "Test it by StringEquals.")
	}
	if host == GitHubHost && len(subjects) > 0 {
		f.github(s, host)
	}
}

func (f *finder) github(s foundStatement, host string) {
	if len(s.values(host+":repository_id")) == 0 {
		f.add("trust", s, "it does not test "+host+":repository_id", "whoever gets the name after it was given up may assume the role", "Test the repository's number by StringEquals.")
	}
	byEnvironment := slices.ContainsFunc(s.values(host+":sub"), func(v string) bool { return strings.Contains(v, ":environment:") })
	if byEnvironment && len(s.values(host+":ref")) == 0 {
		f.add("trust", s, "it does not test "+host+":ref", "a job of any branch may name the environment, which GitHub makes at its first use", "Test each branch and tag that enters by StringEquals.")
	}
}

// subject looks for wildcards. One at the end of a ref, such as a tag's v*, is a pattern of
// refs and no fault.
func (f *finder) subject(s foundStatement, host, subject string) {
	at := strings.IndexAny(subject, "*?")
	if at < 0 {
		return
	}
	before := subject[:at]
	if ref := max(strings.LastIndex(before, ":ref:refs/tags/"), strings.LastIndex(before, ":ref_type:tag:ref:")); ref >= 0 && !strings.HasSuffix(before, ":") && !strings.HasSuffix(before, "/tags/") {
		return
	}
	why := "any branch, tag and pull request of the repository may assume the role"
	if strings.Count(before, ":") < 2 {
		why = "other repositories may assume the role, too"
	}
	f.add("trust", s, host+":sub may be "+subject, why, "Name the environment by StringEquals, and its branches in "+host+":ref.")
}
