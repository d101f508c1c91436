package config

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"
	"unicode"

	"github.com/slipway-cd/slipway/internal/extension"
)

func (d *decoder) validateSmokes(path string, all []Smoke) {
	lines := map[string]int{}
	for i, s := range all {
		at := fmt.Sprintf("%s[%d]", path, i)
		if line, twice := lines[s.Name]; twice {
			d.addError(at+".name", fmt.Sprintf("the first one is on line %d", line), "%s.name: duplicate check name %q", at, s.Name)
		}
		lines[s.Name] = d.positionOf(at + ".name").line
		d.validateSmoke(at, s)
	}
}

func (d *decoder) validateSmoke(at string, s Smoke) {
	if strings.TrimSpace(s.Name) == "" {
		d.addError(at+".name", "", "%s.name is empty", at)
	}
	if s.ModelOpened {
		d.validateModelOpened(at)
		return
	}
	methods := 0
	for key, p := range map[string]string{"get": s.Get, "post": s.Post, "put": s.Put} {
		if d.isSet(at + "." + key) {
			methods++
			d.validateHTTPPath(at+"."+key, p)
		}
	}
	if methods != 1 {
		d.addError(at, "such as post: /predict", "%s: set exactly one of get, post or put, or model_opened: true", at)
	}
	d.validateSmokeBody(at, s)
	d.validateHeaders(at+".headers", s.Headers)
	d.validateChecks(at+".expect", s.Expect)
}

// validateModelOpened checks that what sends no request has no part of one.
func (d *decoder) validateModelOpened(at string) {
	if d.project.Model == nil {
		d.addError(at+".model_opened", "remove it, or add a model section", "%s.model_opened: the release has no model", at)
	}
	for _, key := range []string{"get", "post", "put", "headers", "json", "body", "file", "status", "expect"} {
		if d.isSet(at + "." + key) {
			d.addError(at+"."+key, "write it as a separate check", "%s.%s: model_opened sends no request", at, key)
		}
	}
}

func (d *decoder) validateSmokeBody(at string, s Smoke) {
	var bodies []string
	for _, key := range []string{"json", "body", "file"} {
		if d.isSet(at + "." + key) {
			bodies = append(bodies, key)
		}
	}
	if len(bodies) > 1 {
		d.addError(at+"."+bodies[1], "keep one of them", "%s: set only one of json, body and file", at)
	}
	if len(bodies) > 0 && s.Get != "" {
		d.addError(at+"."+bodies[0], "use post or put, or remove the body", "%s.%s: a GET request has no body", at, bodies[0])
	}
	if d.isSet(at + ".file") {
		d.validatePath(at+".file", s.File)
	}
}

const headerNamePattern = "^[A-Za-z0-9!#$%&'*+.^_|~-]+$"

// ownHeaders are those that follow from the request, or that Slipway sets.
func ownHeaders() []string {
	return []string{"Connection", "Content-Length", "Slipway-Probe", "Transfer-Encoding", "Upgrade"}
}

func (d *decoder) validateHeaders(at string, headers map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		here, value := at+"."+name, headers[name]
		switch {
		case !matches(headerNamePattern, name):
			d.addError(here, "letters, digits and dashes", "%s: %q is not a valid header name", at, name)
		case slices.Contains(ownHeaders(), textproto.CanonicalMIMEHeaderKey(name)):
			d.addError(here, "remove it", "%s: this header can't be set", here)
		case strings.ContainsFunc(value, unicode.IsControl):
			d.addError(here, "", "%s contains control characters", here)
		case !extension.OnlyReferences(value):
			d.addError(here, "write it as ${NAME}; defaults are not supported here", "%s: ${...} must name a variable", here)
		}
	}
}
