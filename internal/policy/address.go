package policy

import (
	"net/url"
	"slices"
	"strings"
)

// plainKeys are the parts of a state's query that do not choose where requests go.
var plainKeys = []string{"region", "scope", "ssetype", "kmskeyid", "storage_account", "sslmode"}

// AllowsAddress reports whether every list has the address, or a pattern that matches it.
// A pattern means a host and a path: an address with a user, a fragment or a query that
// may lead elsewhere has to be listed as it is. What matches https://*.example.com as a
// text may be a request to another host.
func (a Allowed) AllowsAddress(address string) bool {
	names := patternNames(address)
	for _, list := range a.Lists {
		if !slices.ContainsFunc(list, func(pattern string) bool {
			return pattern == address || slices.ContainsFunc(names, func(name string) bool { return matches(pattern, name) })
		}) {
			return false
		}
	}
	return true
}

// patternNames are the forms of an address that patterns may match; none if only the
// address itself may be listed.
func patternNames(address string) []string {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Fragment != "" || u.Opaque != "" || strings.ContainsAny(address, "#\\%@ \t\r\n") || leadsElsewhere(u) {
		return nil
	}
	bare := strings.TrimSuffix(address, "?"+u.RawQuery)
	return []string{address, bare, strings.TrimSuffix(bare, "/")}
}

// leadsElsewhere reports whether the query of an address may choose a host.
func leadsElsewhere(u *url.URL) bool {
	if u.RawQuery == "" {
		return u.ForceQuery
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Scheme == "http" || u.Scheme == "https" {
		return true
	}
	for key := range query {
		if !slices.Contains(plainKeys, key) {
			return true
		}
	}
	return false
}

// HostOf returns the host that the address of a shared state chooses for itself, for
// people; empty: it is that of the provider, or a folder.
func HostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "of the URL"
	}
	switch u.Scheme {
	case "", "file":
		return ""
	case "s3", "gs", "azblob":
		if !leadsElsewhere(u) {
			return ""
		}
	default:
		return u.Hostname()
	}
	query := u.Query()
	for _, key := range []string{"endpoint", "domain", "hostname", "host"} {
		host := query.Get(key)
		if at, err := url.Parse(host); err == nil && at.Host != "" {
			host = at.Hostname()
		}
		if host != "" {
			return host
		}
	}
	return "in the query"
}
