package server

import (
	"bytes"
	_ "embed" // the two files below
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

//go:embed openapi.json
var openAPIText string

//go:embed docs.html
var docsTemplate string

// docs is the documentation, made once from openapi.json.
type docs struct{ page []byte }

// specification is the part of an OpenAPI document that the page shows.
type specification struct {
	Info struct {
		Title, Description string
	}
	Paths map[string]map[string]operation
}

type operation struct {
	Summary, Description string
	RequestBody          *struct {
		Content map[string]struct{ Example json.RawMessage }
	}
	Responses map[string]struct{ Description string }
}

type section struct {
	Method, Path string
	operation
	Example string // of a request; empty if it has no body
}

// newDocs renders the page. A route without its documentation is an error.
func newDocs(routes []route) (docs, error) {
	var spec specification
	if err := json.Unmarshal([]byte(openAPIText), &spec); err != nil {
		return docs{}, fmt.Errorf("embedded openapi.json: %w", err)
	}
	var sections []section
	for _, r := range routes {
		op, found := spec.Paths[r.path][strings.ToLower(r.method)]
		if !found {
			return docs{}, fmt.Errorf("embedded openapi.json: %s %s is not described", r.method, r.path)
		}
		one := section{Method: r.method, Path: r.path, operation: op}
		if op.RequestBody != nil {
			var text bytes.Buffer
			if err := json.Indent(&text, op.RequestBody.Content["application/json"].Example, "", "  "); err != nil {
				return docs{}, fmt.Errorf("embedded openapi.json: example of %s: %w", r.path, err)
			}
			one.Example = text.String()
		}
		sections = append(sections, one)
	}
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return docs{}, fmt.Errorf("embedded docs.html: %w", err)
	}
	var page bytes.Buffer
	if err := t.Execute(&page, map[string]any{"Info": spec.Info, "Sections": sections}); err != nil {
		return docs{}, fmt.Errorf("embedded docs.html: %w", err)
	}
	return docs{page.Bytes()}, nil
}

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "application/json", []byte(openAPIText))
}

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	writeText(w, http.StatusOK, "text/html; charset=utf-8", s.docs.page)
}
