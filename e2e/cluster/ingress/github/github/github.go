// Package github has no client of GitHub's API: no newer version is looked for.
package github

import (
	"context"
	"errors"
	"net/http"
)

// Client would be a client.
type Client struct{ Repositories Repositories }

// WithURLs is no option.
func WithURLs(*string, *string) struct{} { return struct{}{} }

// NewClient returns an error.
func NewClient(...struct{}) (*Client, error) {
	return nil, errors.New("GitHub is left out of this program")
}

// Repositories are none.
type Repositories struct{}

// Release is a release.
type Release struct{ TagName string }

// ListReleases lists nothing.
func (Repositories) ListReleases(context.Context, string, string, any) ([]Release, *http.Response, error) {
	return nil, nil, errors.New("GitHub is left out of this program")
}
