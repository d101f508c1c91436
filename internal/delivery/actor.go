package delivery

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// Actor is the person or program behind an action.
type Actor struct {
	Issuer  string  `json:"issuer,omitempty"`  // who vouches for Subject: "https://github.com", "os:build-1"; empty: no one
	Subject string  `json:"subject,omitempty"` // the issuer's own, lasting name of the actor
	Name    string  `json:"name,omitempty"`    // for people
	Account string  `json:"account,omitempty"` // the issuer's name of the actor, where Name is claimed by an option or a variable
	Means   Means   `json:"means,omitempty"`
	Unknown Unknown `json:"-"`
}

// Means is how Slipway learned of an actor. Values are stored.
type Means string

// The means.
const (
	MeansCI          Means = "ci"          // the CI system that runs the command
	MeansEnvironment Means = "environment" // a variable, which proves nothing
	MeansFlag        Means = "flag"        // an option of the command
	MeansOS          Means = "os"          // the user of the operating system
	MeansAuto        Means = "auto"        // Slipway itself, by its configuration
	MeansRegistry    Means = "registry"    // the interface of a model registry that names no users
)

func (a Actor) String() string {
	if a.Name != "" {
		return a.Name
	}
	return a.Subject
}

// IsZero reports whether no one is named.
func (a Actor) IsZero() bool { return a.Key() == "" }

// Key identifies the actor among those of one kind of record: by issuer and subject
// if there is an issuer, or else by name.
func (a Actor) Key() string {
	if a.Issuer != "" && a.Subject != "" {
		return a.Issuer + " " + a.Subject
	}
	return a.String()
}

// OSIssuer begins the issuers that are operating systems; the host's name follows.
const OSIssuer = "os:"

// Same reports whether two actors count as one person. Issuers tell their subjects
// apart; where one of the two has no issuer, or is known to an operating system only,
// names do: in doubt, one person is not counted twice.
func (a Actor) Same(b Actor) bool {
	if !a.isVouched() || !b.isVouched() {
		return a.String() == b.String()
	}
	if a.Issuer == b.Issuer {
		return a.Subject == b.Subject
	}
	local := strings.HasPrefix(a.Issuer, OSIssuer) || strings.HasPrefix(b.Issuer, OSIssuer)
	return local && a.account() == b.account()
}

func (a Actor) isVouched() bool { return a.Issuer != "" && a.Subject != "" }

// account is the issuer's name of the actor.
func (a Actor) account() string { return cmp.Or(a.Account, a.Name) }

// Claiming returns the actor under a name that an option or a variable gives it. The
// identity stays.
func (a Actor) Claiming(name string, by Means) Actor {
	a.Account, a.Name, a.Means = a.account(), name, by
	return a
}

// Title is the actor for people, with the identity that counts beside a name that is only
// claimed.
func (a Actor) Title() string {
	if !a.isVouched() || a.account() == a.Name {
		return a.String()
	}
	return a.Name + " (" + a.Account + " of " + a.Issuer + ")"
}

// IsIn reports whether a list names the actor: as NAME, ISSUER NAME or ISSUER SUBJECT.
// What is claimed, or vouched for by no one, does not count. An account whose name has a
// space is listed with its issuer only: alone it could pass for that of another issuer.
func (a Actor) IsIn(list []string) bool {
	if !a.isVouched() {
		return false
	}
	names := []string{a.Issuer + " " + a.account(), a.Issuer + " " + a.Subject}
	if !strings.ContainsFunc(a.account(), unicode.IsSpace) {
		names = append(names, a.account())
	}
	return slices.ContainsFunc(names, func(name string) bool { return name != "" && slices.Contains(list, name) })
}

// IsInAll reports whether the actor is in every list.
func (a Actor) IsInAll(lists [][]string) bool {
	return !slices.ContainsFunc(lists, func(list []string) bool { return !a.IsIn(list) })
}

// MarshalJSON writes the unknown fields, too.
func (a Actor) MarshalJSON() ([]byte, error) {
	type plain Actor
	return MarshalDocument(plain(a), a.Unknown)
}

// UnmarshalJSON keeps the unknown fields. It also reads a bare name, as records had it
// before they had actors.
func (a *Actor) UnmarshalJSON(raw []byte) (err error) {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"`)) {
		*a = Actor{}
		return json.Unmarshal(raw, &a.Name)
	}
	type plain Actor
	a.Unknown, err = UnmarshalDocument(raw, (*plain)(a))
	return err
}
