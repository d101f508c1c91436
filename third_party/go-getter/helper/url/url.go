// Package url stands in for its namesake of go-getter.
package url

import "net/url"

// Parse parses an address.
func Parse(raw string) (*url.URL, error) { return url.Parse(raw) }
