package account

import (
	"encoding/json"
	"time"
)

// Observed is a resource as it is in the account. Its Spec is one of those of a Resource,
// but for roles and policies, whose documents may say what a Document can't.
type Observed struct {
	Resource
	Tags map[string]string
	// Others are the differences that no Spec has a field for: encryption that was turned
	// off, a policy that was attached, an access entry that is older than its role.
	Others []Difference
	// Users are who uses it beside the project, as far as that can be known.
	Users []string
}

// LiveRole is the Spec of a Role as it is.
type LiveRole struct {
	Description   string
	Trust, Rights json.RawMessage // a policy of IAM; empty: none
	Boundary      string
	MaxSession    time.Duration
}

// LivePolicy is the Spec of a Policy as it is.
type LivePolicy struct {
	Description string
	Document    json.RawMessage
}

// Owner returns the project that it has the tag of; empty: it is not Slipway's.
func (o Observed) Owner() string { return o.Tags[TagProject] }

// IsAdopted reports whether it was there before Slipway looked after it.
func (o Observed) IsAdopted() bool { return o.Tags[TagAdopted] == "true" }

// Tags returns the tags that a resource of the set has.
func (s Set) Tags(r Resource, adopted bool) map[string]string {
	tags := map[string]string{TagProject: s.Project}
	if r.Environment != "" {
		tags[TagEnvironment] = string(r.Environment)
	}
	if adopted {
		tags[TagAdopted] = "true"
	}
	return tags
}

// Key returns what identifies a resource in an account. What belongs to a cluster is
// identified by what it connects, as in AWS: its name is for people.
func (r Resource) Key() string {
	switch s := r.Spec.(type) {
	case PodIdentity:
		return string(r.Kind) + "/" + s.Cluster + "/" + s.Namespace + "/" + s.ServiceAccount
	case NamespaceRights:
		return string(r.Kind) + "/" + s.Cluster + "/" + s.Namespace + "/" + s.Group
	case AccessEntry:
		return string(r.Kind) + "/" + s.Cluster + "/" + s.Principal
	}
	return string(r.Kind) + "/" + r.Name
}

// Title names a resource for people: "role retail-deploy-prod".
func (r Resource) Title() string { return string(r.Kind) + " " + r.Name }
