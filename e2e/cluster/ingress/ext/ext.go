// Package ext has the two types that Traefik leaves to its derivatives: fields of
// their own in the dynamic configuration. Traefik's module expects the package in a
// folder that is not part of the module.
package ext

// HTTP has no more fields for the HTTP configuration.
type HTTP struct{}

// Router has no more fields for a router.
type Router struct{}
