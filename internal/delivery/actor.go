package delivery

import (
	"bytes"
	"encoding/json"
)

// Actor is the person or program behind an action.
type Actor struct {
	Issuer  string  `json:"issuer,omitempty"`  // who vouches for Subject, by URL: "https://github.com"; empty: no one
	Subject string  `json:"subject,omitempty"` // the issuer's own, lasting name of the actor
	Name    string  `json:"name,omitempty"`    // for people
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

// Same reports whether two actors count as one person. Issuers tell their subjects
// apart; where one of the two has no issuer, names do: in doubt, one person is not
// counted twice.
func (a Actor) Same(b Actor) bool {
	if a.Issuer != "" && b.Issuer != "" && a.Subject != "" && b.Subject != "" {
		return a.Issuer == b.Issuer && a.Subject == b.Subject
	}
	return a.String() == b.String()
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
