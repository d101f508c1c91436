package extension

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// StateStore is a kind of place for the state that machines share: state: URL.
type StateStore struct {
	Kind        Kind
	Schemes     []string // of the URLs; the empty one is that of a path
	Description string
	Example     string // for hints: "s3://bucket/prefix?region=eu-west-1"
	// Check returns what is wrong with a URL, before anything is opened.
	Check func(u *url.URL) error
	// Open may connect, but stores nothing of Slipway's.
	Open func(ctx context.Context, u *url.URL) (port.ObjectStore, error)
	// Rights is what the store calls in AWS; nil: it is elsewhere.
	Rights StateRights
}

// ParseStateURL parses the place of a shared state: a URL, or the path of a folder.
func (s Set) ParseStateURL(text string) (*url.URL, StateStore, error) {
	u := &url.URL{Path: text}
	if strings.Contains(text, "://") {
		var err error
		if u, err = url.Parse(text); err != nil { // its text holds what may be a password
			return nil, StateStore{}, fault.New(fault.Invalid, "the URL of the shared state can't be parsed").Hint("%s", s.stateExamples())
		}
	}
	for _, store := range s.StateStores {
		if !slices.Contains(store.Schemes, u.Scheme) {
			continue
		}
		if store.Check != nil {
			if err := store.Check(u); err != nil {
				return nil, store, err
			}
		}
		return u, store, nil
	}
	return nil, StateStore{}, fault.New(fault.Invalid, "unknown scheme %q of the shared state", u.Scheme).Hint("%s", s.stateExamples())
}

func (s Set) stateExamples() string {
	var examples []string
	for _, store := range s.StateStores {
		examples = append(examples, store.Example)
	}
	return "write it as " + strings.Join(examples, ", ")
}

// StateName is the place of a shared state as messages show it: without user, password
// and query, which may hold secrets.
func StateName(u *url.URL) string {
	at := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if at.Scheme == "" {
		return at.Path
	}
	return at.String()
}

// CheckBucketURL is the Check of a store whose URLs are scheme://BUCKET/PREFIX?OPTIONS.
func CheckBucketURL(u *url.URL) error {
	switch {
	case u.Host == "":
		return fault.New(fault.Invalid, "the URL of the shared state names no bucket").Hint("write it as %s://BUCKET/PREFIX", u.Scheme)
	case u.User != nil:
		return fault.New(fault.Invalid, "the URL of the shared state holds a user").Hint("leave credentials to the variables and files of the provider's own tools")
	}
	return nil
}
