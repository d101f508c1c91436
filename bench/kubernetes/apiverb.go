package main

import (
	"net/http"
	"strings"
)

// requestVerb is what the apiserver calls a request. What is asked of it as such, its
// kinds and version, is a discovery; a rehearsal is a patch (or the like) that
// changes nothing.
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
		verb += " (rehearsed)"
	}
	return verb
}

// resourcePath is what comes after the namespace: the kind, and its name and what is
// below that, if one is asked for. False: the path is of no object.
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
