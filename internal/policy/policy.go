// Package policy is what an operator allows, outside of the repositories: whose
// signatures count, how many people approve, which secrets a commit may name. There may
// be several documents, and all of them hold: none replaces another. slipway.yaml may
// tighten what they say, and never loosen it. The package is pure.
package policy

import (
	"path"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Document is one policy file as it is written.
type Document struct {
	Version     int                 `yaml:"version" json:"version" jsonschema:"required,minimum=1,maximum=1" jsonschema_description:"Version of the format: 1."`
	Trust       *Trust              `yaml:"trust" json:"trust,omitempty"`
	Approvals   map[string]Approval `yaml:"approvals" json:"approvals,omitempty"` // by a pattern of environments: prod, prod-*, *
	Secrets     map[string][]string `yaml:"secrets" json:"secrets,omitempty"`     // by event: names, or patterns such as DB_*
	Kubeconfigs *[]string           `yaml:"kubeconfigs" json:"kubeconfigs,omitempty"`
	Addresses   *Addresses          `yaml:"addresses" json:"addresses,omitempty"`
	Require     Require             `yaml:"require" json:"require,omitzero"`
}

// Trust is whose signatures may count, wherever slipway.yaml has trust. With images alone,
// whose they are is left to slipway.yaml.
type Trust struct {
	Keys       *[]string          `yaml:"keys" json:"keys,omitempty"` // SHA-256 of a public key: see Fingerprint
	Identities *[]config.Identity `yaml:"identities" json:"identities,omitempty"`
	Images     *[]string          `yaml:"images" json:"images,omitempty"` // patterns of those that may run unsigned; * matches any characters
}

// Approval is who lets a deployment in.
type Approval struct {
	Count int       `yaml:"count" json:"count,omitempty" jsonschema:"minimum=0,maximum=10"`
	Who   *[]string `yaml:"who" json:"who,omitempty"` // NAME, or ISSUER NAME
}

// Addresses are the URLs, or patterns of them, that slipway.yaml may name for what gets
// tokens and records.
type Addresses struct {
	Fulcio          *[]string `yaml:"fulcio" json:"fulcio,omitempty"`
	Rekor           *[]string `yaml:"rekor" json:"rekor,omitempty"`
	Prometheus      *[]string `yaml:"prometheus" json:"prometheus,omitempty"`
	Registries      *[]string `yaml:"registries" json:"registries,omitempty"`
	State           *[]string `yaml:"state" json:"state,omitempty"`
	ModelRegistries *[]string `yaml:"model_registries" json:"model_registries,omitempty"`
}

// Require is what runs must do.
type Require struct {
	Box bool `yaml:"box" json:"box,omitempty"` // commands of the repository run in a box
}

// events are the keys of Secrets.
var events = []string{"push", "pull_request"}

// Parse reads a document; name is what errors call it.
func Parse(name string, data []byte) (Document, error) {
	var d Document
	if err := config.DecodeDocument(name, data, &d); err != nil {
		return d, err
	}
	if d.Version != 1 {
		return d, fault.New(fault.Invalid, "version %d is not supported: want 1", d.Version).Location(name)
	}
	for event := range d.Secrets {
		if !slices.Contains(events, event) {
			return d, fault.New(fault.Invalid, "secrets: unknown event %q", event).Location(name).Hint("use %s", strings.Join(events, " or "))
		}
	}
	for _, p := range d.patterns() {
		if _, err := path.Match(p, ""); err != nil {
			return d, fault.New(fault.Invalid, "invalid pattern %q", p).Location(name).Hint("* stands for any characters but /")
		}
	}
	return d, nil
}

// patterns returns everything in the document that is a pattern.
func (d Document) patterns() []string {
	var all []string
	for env := range d.Approvals {
		all = append(all, env)
	}
	for _, names := range d.Secrets {
		all = append(all, names...)
	}
	lists := []*[]string{d.Kubeconfigs}
	if a := d.Addresses; a != nil {
		lists = append(lists, a.Fulcio, a.Rekor, a.Prometheus, a.Registries, a.State, a.ModelRegistries)
	}
	for _, l := range lists {
		if l != nil {
			all = append(all, *l...)
		}
	}
	return all
}

// Source is a document and where it came from.
type Source struct {
	Place    string
	Document Document
}

// Policy is what all documents together allow. The zero value is that of no document.
type Policy struct {
	Sources []Source
}

// With returns the policy that also meets another document.
func (p Policy) With(place string, d Document) Policy {
	p.Sources = append(slices.Clone(p.Sources), Source{place, d})
	return p
}

// Allowed are lists of which each has to allow a thing. None at all allow everything.
type Allowed struct {
	Lists [][]string
	From  []string // places of the lists
}

// IsLimited reports whether any document limits the thing.
func (a Allowed) IsLimited() bool { return len(a.Lists) > 0 }

// Allows reports whether every list has a pattern that matches one of the names of a
// thing.
func (a Allowed) Allows(names ...string) bool {
	for _, list := range a.Lists {
		if !slices.ContainsFunc(list, func(pattern string) bool {
			return slices.ContainsFunc(names, func(name string) bool { return matches(pattern, name) })
		}) {
			return false
		}
	}
	return true
}

// IsDefault reports whether it is what holds without any document.
func (a Allowed) IsDefault() bool { return slices.Contains(a.From, DefaultPlace) }

// Items returns the patterns that all lists have, or that one list has and the others
// allow.
func (a Allowed) Items() []string {
	var items []string
	for _, list := range a.Lists {
		for _, item := range list {
			if a.Allows(item) && !slices.Contains(items, item) {
				items = append(items, item)
			}
		}
	}
	slices.Sort(items)
	return items
}

// matches reports whether a pattern matches a name. A final /** matches everything below.
func matches(pattern, name string) bool {
	if below, ok := strings.CutSuffix(pattern, "/**"); ok {
		if rest, ok := strings.CutPrefix(name, below+"/"); ok && !slices.Contains(strings.Split(rest, "/"), "..") {
			return true
		}
		return name == below
	}
	ok, err := path.Match(pattern, name)
	return pattern == "*" || err == nil && ok
}

// allowed collects one list of every document that has it.
func (p Policy) allowed(list func(Document) *[]string) Allowed {
	var a Allowed
	for _, s := range p.Sources {
		if l := list(s.Document); l != nil {
			a.Lists, a.From = append(a.Lists, *l), append(a.From, s.Place)
		}
	}
	return a
}

// Kubeconfigs are those that slipway.yaml may name, as absolute paths.
func (p Policy) Kubeconfigs() Allowed {
	return p.allowed(func(d Document) *[]string { return d.Kubeconfigs })
}

// Address is a kind of address.
type Address string

// The addresses that get tokens or records.
const (
	Fulcio          Address = "fulcio"
	Rekor           Address = "rekor"
	Prometheus      Address = "prometheus"
	Registries      Address = "registries"
	State           Address = "state"
	ModelRegistries Address = "model_registries"
)

// AddressKinds returns all kinds of addresses.
func AddressKinds() []Address {
	return []Address{Fulcio, Rekor, Prometheus, Registries, State, ModelRegistries}
}

// Addresses are those of a kind that slipway.yaml may name.
func (p Policy) Addresses(kind Address) Allowed {
	return p.allowed(func(d Document) *[]string {
		a := d.Addresses
		if a == nil {
			return nil
		}
		return map[Address]*[]string{
			Fulcio: a.Fulcio, Rekor: a.Rekor, Prometheus: a.Prometheus, Registries: a.Registries, State: a.State, ModelRegistries: a.ModelRegistries,
		}[kind]
	})
}

// DefaultPlace stands for the rules that hold without any document.
const DefaultPlace = "default"

// Secrets are the names of variables that a commit may use for an event. Without a
// document that speaks of it, a pull request may use none: everybody who can open one
// would read them.
func (p Policy) Secrets(event string) Allowed {
	a := p.allowed(func(d Document) *[]string {
		if names, ok := d.Secrets[event]; ok {
			return &names
		}
		return nil
	})
	if !a.IsLimited() && event == "pull_request" {
		return Allowed{Lists: [][]string{{}}, From: []string{DefaultPlace}}
	}
	return a
}

// RequiresBox returns the places that want commands of the repository to run in a box.
func (p Policy) RequiresBox() (from []string) {
	for _, s := range p.Sources {
		if s.Document.Require.Box {
			from = append(from, s.Place)
		}
	}
	return from
}

// Approvals returns how many people have to approve a deployment to an environment, who
// may, and the places that say so. Who is not limited without lists.
func (p Policy) Approvals(env delivery.Environment) (count int, who Allowed, from []string) {
	for _, s := range p.Sources {
		found := false
		for pattern, a := range s.Document.Approvals {
			if !matches(pattern, string(env)) {
				continue
			}
			found, count = true, max(count, a.Count)
			if a.Who != nil {
				who.Lists, who.From = append(who.Lists, *a.Who), append(who.From, s.Place)
			}
		}
		if found {
			from = append(from, s.Place)
		}
	}
	return count, who, from
}
