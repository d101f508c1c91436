package main

import (
	"net/http"
	"strings"
)

// requestVerb returns the API verb of a request. Requests for API groups and versions
// are "discovery"; dry runs are marked as such.
func requestVerb(r *http.Request) string {
	rest, ok := resourcePath(r.URL.Path)
	if !ok {
		return "discovery"
	}
	query := r.URL.Query()
	if query.Get("watch") == "true" || query.Get("watch") == "1" {
		return "watch"
	}
	var verb string
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		verb = "get"
		if len(rest) == 1 {
			verb = "list"
		}
	case http.MethodPost:
		verb = "create"
	case http.MethodPut:
		verb = "update"
	default:
		verb = strings.ToLower(r.Method)
	}
	if len(query["dryRun"]) > 0 {
		verb += " (dry run)"
	}
	return verb
}

// resourcePath returns the path after the namespace: the resource, and its name and
// subresource, if any. ok is false for a path without a resource.
func resourcePath(path string) (rest []string, ok bool) {
	words := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case words[0] == "api" && len(words) > 2:
		words = words[2:]
	case words[0] == "apis" && len(words) > 3:
		words = words[3:]
	default:
		return nil, false
	}
	if words[0] == "namespaces" && len(words) > 2 {
		words = words[2:]
	}
	return words, true
}
